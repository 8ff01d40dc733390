"""Initializers that an exporter merged because they are equal, taken apart again.

PyTorch's exporters make one initializer of equal ones: in a module that nobody has trained, every norm's weight is the
same ones and every bias the same zeros. Weights that are tied in the source are one too; but those, once trained, do
not hold one number throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, forget_names, fresh_name, is_initializer
from interlingua.ir.scopes import ties_of

Reader = tuple[ir.Node, int]
"""A node, and the number of one of its inputs."""

_LOOK = 1024
"""So many elements tell mostly that a tensor holds more than one number."""
_STATISTICS = ("running_mean", "running_var")
_NORMS = ("GroupNormalization", "InstanceNormalization", "LayerNormalization")
_NAMES = {
    **{(op, 1): "weight" for op in ("BatchNormalization", "Conv", "ConvTranspose", "Gemm", *_NORMS)},
    **{(op, 2): "bias" for op in ("BatchNormalization", "Conv", "ConvTranspose", "Gemm", *_NORMS)},
    **{("BatchNormalization", 3 + place): name for place, name in enumerate(_STATISTICS)},
    ("Add", 1): "bias",
    ("MatMul", 1): "weight",
}
"""What PyTorch's modules call the inputs of operators."""


def part_shared(model: ir.Model) -> None:
    """Gives each reader of a merged initializer one of its own, under the name that its module has for it."""
    tied = ties_of(model)
    for node in list(model.graph.all_nodes()):
        if node.op_type != "Identity" or node.domain != "" or (len(node.inputs), len(node.outputs)) != (1, 1):
            continue
        source = node.inputs[0]
        if source is not None and not node.outputs[0].is_graph_output() and _is_merged(source, tied):
            name, node.outputs[0].name = node.outputs[0].name or "", f"{node.outputs[0].name} (copied)"
            forget_names(model.graph)
            bypass(node, _copied(source, name, model.graph))
    for value in list(model.graph.initializers.values()):
        readers = [(use.node, use.idx) for use in value.uses()]
        if len(readers) > 1 and _is_merged(value, tied):
            _part(value, readers, model.graph)


def _is_merged(value: ir.Value, tied: dict[str, str]) -> bool:
    """Whether the value is an initializer of real numbers, no constant and not tied, that are all the same."""
    if not is_initializer(value) or metadata.is_constant(value) or value.name in {*tied, *tied.values()}:
        return False
    tensor = value.const_value
    if tensor is None or not tensor.dtype.is_floating_point() or len(tensor.shape) == 0 or tensor.size == 0:
        return False
    array = np.asarray(tensor.numpy()).reshape(-1)
    return bool((array[:_LOOK] == array[0]).all() and (array == array[0]).all())


def _part(value: ir.Value, readers: Sequence[Reader], graph: ir.Graph) -> None:
    """Leaves the value to the reader that it is named after, or to the first; the others get copies."""
    names = [_own_name(node, index) for node, index in readers]
    if None in names:
        return
    made = {names[0] if value.name not in names else value.name: value}
    for (node, index), name in zip(readers, names, strict=True):
        made[name] = made.get(name) or _copied(value, str(name), graph)
        node.replace_input_with(index, made[name])


def _own_name(node: ir.Node, index: int) -> str | None:
    """The name that the module around a reader has for what it reads: `layer1.0.bn2.weight`; None where unknown."""
    module = node.metadata_props.get(metadata.MODULE)
    name = _NAMES.get((node.op_type, index)) if node.domain == "" else None
    return f"{module}.{name}" if module and name else None


def _copied(value: ir.Value, name: str, graph: ir.Graph) -> ir.Value:
    """A new initializer of the graph with the same numbers, which take no memory."""
    tensor = value.const_value
    assert tensor is not None
    name = fresh_name(graph, name)
    numbers = np.broadcast_to(np.asarray(tensor.numpy()).reshape(-1)[0], tuple(tensor.shape.numpy()))
    held = ir.tensor(numbers, dtype=tensor.dtype, name=name)
    own = ir.Value(name=name, shape=value.shape, type=value.type, const_value=held)
    graph.register_initializer(own)
    return own
