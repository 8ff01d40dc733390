"""Which numbers of an ONNX file are constants of the source's code, and not parameters that training moves.

A file has no word for it: what is told here is what PyTorch's exporter says of its initializers, and that a constant
of ours is a `Constant` node.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, is_initializer
from interlingua.ir.origin import Constant

_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"
_PERSISTENT = "pkg.torch.export.graph_signature.InputSpec.persistent"
_FOLDED = "pkg.onnxscript.optimizer.folded_from"
_MADE = re.compile(
    r"(val|scalar_tensor_default|lifted_tensor|clone|zeros|ones|full|arange|zeros_like|ones_like|full_like)(_\d+)?"
)
"""What PyTorch's exporter calls numbers of its own, and of operators that make tensors out of nothing."""
_LARGEST = 1 << 18
"""So many elements a `Constant` node may hold; a larger tensor stays where it can be mapped into memory."""


def record_constants(model: ir.Model) -> None:
    """Tells initializers that they are constants: scales of quantized tensors, and what PyTorch's exporter told of.

    It tells which ones are parameters, and which are buffers of the state dict; means and variances train.
    """
    values = list(model.graph.initializers.values())
    told = any(_KIND in value.metadata_props for value in values)
    computed = {output.name for node in model.graph for output in node.outputs}
    untold = not told and model.producer_name == "pytorch"
    for value in values:
        kind = value.metadata_props.get(_KIND)
        buffer = kind == "BUFFER" and not any(use.node.op_type == "BatchNormalization" for use in value.uses())
        if buffer:
            metadata.set_role(value, "buffer" if value.metadata_props.get(_PERSISTENT) == "True" else "non-persistent")
        made = kind == "CONSTANT_TENSOR" or (kind is None and _is_made(value, computed))
        number = untold and _is_number(value)
        if buffer or (told and made) or number or _is_scale(value):
            metadata.set_origin(value, Constant(value.name or ""))


def _is_number(value: ir.Value) -> bool:
    """Whether one number bears a name of the exporter's, in a file that has lost what it told.

    Of two axes it may be a matrix that the exporter turned, and so renamed.
    """
    tensor = value.const_value
    return tensor is not None and tensor.shape in ((), (1,)) and _MADE.fullmatch(value.name or "") is not None


def _is_scale(value: ir.Value) -> bool:
    """Whether the number is nothing but the scale of quantized tensors."""
    uses = list(value.uses())
    real = value.dtype is not None and value.dtype.is_floating_point()
    return real and bool(uses) and all(_scales(use.node.op_type, use.idx) for use in uses)


def _scales(op_type: str, index: int) -> bool:
    return op_type.startswith(("QLinear", "QGemm")) or (op_type in ("QuantizeLinear", "DequantizeLinear") and index > 0)


def _is_made(value: ir.Value, computed: Container[str | None]) -> bool:
    """Whether the exporter made the number, out of nothing but numbers of its own and shapes of what is `computed`.

    One that is the same everywhere may be filled to the shape of something else.
    """
    try:
        sources = [str(name) for name in ast.literal_eval(value.metadata_props.get(_FOLDED, "[]"))]
    except (SyntaxError, ValueError, TypeError):
        return False
    made = _MADE.fullmatch(value.name or "") is not None
    if all(_MADE.fullmatch(name) or name in computed for name in sources):
        return made or bool(sources)
    array = constant(value)
    filled = array is not None and array.size > 1 and bool((array == array.flat[0]).all())
    return made and filled and not any("." in name for name in sources)


def state_constants(model: ir.Model) -> None:
    """Replaces each small initializer of real numbers that is a constant of the source's code by a `Constant` node."""
    graph = model.graph
    nodes: list[ir.Node] = []
    for name, value in list(graph.initializers.items()):
        floating = value.dtype is not None and value.dtype.is_floating_point()
        fixed = metadata.is_constant(value) and not metadata.is_state(value) and is_initializer(value)
        tensor = value.const_value
        if not (floating and fixed and tensor is not None and tensor.size <= _LARGEST) or value.is_graph_output():
            continue
        node = ir.node("Constant", [], {"value": ir.tensor(tensor.numpy().copy(), dtype=tensor.dtype)}, name=name)
        heir = node.outputs[0]
        graph.initializers.pop(name)
        heir.name, heir.type, heir.shape = name, value.type, value.shape
        value.replace_all_uses_with(heir)
        nodes.append(node)
    if nodes:
        graph.insert_before(graph[0], nodes)
