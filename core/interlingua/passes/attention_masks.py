"""Masks of attention as onnxruntime wants them: for all queries, and without the lowest number of their type."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import add_initializer, forget_names, insert_before
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import Constant
from interlingua.passes.raising import masks
from interlingua.passes.raising.reading import maker

_MASK = 3


def widen_masks(model: ir.Model) -> bool:
    """Replaces `Attention(Q, K, V, mask)` by `Attention(Q, K, V, Expand(mask, [queries, 1]))` where one row is for all.

    Says whether it changed anything. The expanded mask is what the operator itself makes of it. onnxruntime takes the
    lowest number of a type for minus infinity, and gives zeros for a row of them, which sees all keys alike by the
    standard: of a mask that may hold it, the numbers are at least the one above.
    """
    changed = False
    for node in list(model.graph.all_nodes()):
        if node.op_type != "Attention" or node.domain != "" or len(node.inputs) <= _MASK or node.inputs[_MASK] is None:
            continue
        mask, query = node.inputs[_MASK], node.inputs[0]
        rows, asked = shape_of(mask), shape_of(query)
        if mask is None or query is None or asked is None or rows is None:
            continue
        if masks.is_finite(mask) and masks.may_be_lowest(mask):
            forget_names(model.graph)
            mask = _above_lowest(model, node, mask)
            node.replace_input_with(_MASK, mask)
            changed = True
        count = asked[-2]
        if len(rows) > 1 and rows[-2] == count and count is not None:
            continue
        forget_names(model.graph)
        _widen(model, node, mask, query, count)
        changed = True
    return changed


def _above_lowest(model: ir.Model, node: ir.Node, mask: ir.Value) -> ir.Value:
    """The mask whose numbers are at least the one above the lowest of their type.

    Of a sum those of both sides are: two of the lowest are minus infinity, and stay that.
    """
    assert mask.dtype is not None
    if not masks.may_be_lowest(mask):
        return mask
    total = maker(mask, "Add")
    if total is not None and total.inputs[0] is not None and total.inputs[1] is not None:
        made = ir.node("Add", [_above_lowest(model, node, each) for each in total.inputs if each is not None])
    else:
        lowest = np.asarray(float(mask.dtype.min), mask.dtype.numpy())
        above = np.asarray(np.nextafter(lowest, np.zeros_like(lowest)))
        stem = f"{node.outputs[0].name}_mask_least"
        made = ir.node("Max", [mask, add_initializer(model.graph, stem, above, Constant(stem))])
    made.outputs[0].type, made.outputs[0].shape = mask.type, mask.shape
    insert_before(node, [made])
    return made.outputs[0]


def _widen(model: ir.Model, node: ir.Node, mask: ir.Value, query: ir.Value, count: int | str | None) -> None:
    stem = f"{node.outputs[0].name}_mask"

    def constant(array: list[int]) -> ir.Value:
        return add_initializer(model.graph, f"{stem}_number", np.asarray(array, np.int64), Constant(f"{stem}_number"))

    made: list[ir.Node] = []
    if isinstance(count, int):
        wanted = constant([count, 1])
    else:
        axis = len(query.shape or ()) - 2
        length = ir.node("Shape", [query], {"start": axis, "end": axis + 1})
        joined = ir.node("Concat", [length.outputs[0], constant([1])], {"axis": 0})
        for each, size in ((length, 1), (joined, 2)):
            each.outputs[0].type, each.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([size])
        made, wanted = [length, joined], joined.outputs[0]
    whole = ir.node("Expand", [mask, wanted])
    whole.outputs[0].type = mask.type
    insert_before(node, [*made, whole])
    node.replace_input_with(_MASK, whole.outputs[0])
