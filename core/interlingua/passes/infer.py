"""Infers shapes and types."""

from __future__ import annotations

import logging

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.passes.base import Pass

logging.getLogger("onnx_ir.passes.common.shape_inference").setLevel(logging.ERROR)


KEEPS_SHAPE = frozenset({"GroupNormalization", "RMSNormalization", "Swish"})


class InferShapes(Pass):
    """Gives every value the shape and type that follow from the inputs, as far as they do."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        before = _forget_names(model)
        common.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)
        _fill(model)
        _name(model, before)
        return any(value.shape != shape for value, shape in before.items())


def _values(model: ir.Model) -> list[ir.Value]:
    return [output for node in model.graph.all_nodes() for output in node.outputs]


def _forget_names(model: ir.Model) -> dict[ir.Value, ir.Shape | None]:
    """Makes symbolic sizes of inner values and outputs unknown, so that those of the inputs reach them."""
    before = {value: value.shape for value in _values(model)}
    for value, shape in before.items():
        if shape is not None and not shape.is_static():
            value.shape = ir.Shape([size if isinstance(size, int) else None for size in shape])
    return before


def _name(model: ir.Model, before: dict[ir.Value, ir.Shape | None]) -> None:
    """Gives sizes that do not follow from the inputs the names they had, or a name after where they first stand."""
    given: dict[str, str] = {}
    for value in _values(model):
        if value.shape is None or value.shape.is_static():
            continue
        old = before[value]
        sizes: list[int | ir.SymbolicDim | str | None] = list(value.shape)
        for axis, size in enumerate(value.shape):
            if isinstance(size, int) or not (size.value is None or generated(size)):
                continue
            kept = old[axis] if old is not None and len(old) == len(sizes) else None
            if kept is not None and not isinstance(kept, int) and kept.value is not None and not generated(kept):
                sizes[axis] = kept
            elif size.value is not None:
                sizes[axis] = given.setdefault(size.value, f"{value.name}_{axis}")
        value.shape = ir.Shape(sizes)


def generated(size: ir.SymbolicDim) -> bool:
    """Whether ONNX's inference made the name up; it makes the same one up for another size the next time."""
    return size.value is not None and size.value.startswith("unk__")


def _fill(model: ir.Model) -> None:
    """Shapes that ONNX's own inference leaves out: of operators that keep their first input's."""
    for node in model.graph.all_nodes():
        if node.op_type not in KEEPS_SHAPE or node.domain != "" or node.inputs[0] is None:
            continue
        source, output = node.inputs[0], node.outputs[0]
        if output.shape is None and source.shape is not None:
            output.shape, output.type = source.shape.copy(), source.type
