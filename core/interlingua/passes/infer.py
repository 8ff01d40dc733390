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
        changed = common.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model).modified
        return _fill(model) or changed


def _fill(model: ir.Model) -> bool:
    """Shapes that ONNX's own inference leaves out: of operators that keep their first input's."""
    changed = False
    for node in model.graph.all_nodes():
        if node.op_type not in KEEPS_SHAPE or node.domain != "" or node.inputs[0] is None:
            continue
        source, output = node.inputs[0], node.outputs[0]
        if output.shape is None and source.shape is not None:
            output.shape, output.type, changed = source.shape.copy(), source.type, True
    return changed
