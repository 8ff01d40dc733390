"""Undoes what PyTorch's exporter writes and no person would; each function's first sentence is the transformation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, insert_before, replace
from interlingua.ir.origin import Constant
from interlingua.notes import Changed, Dropped, Notes

_BIAS = 2
_CUMULATIVE_PRODUCT = 26
"""The opset that CumProd came with."""
_PROGRAM_NODE = "pkg.torch.onnx.fx_node"
_TARGET = re.compile(r"target=([\w.]+)")


def forget_zero_biases(model: ir.Model) -> None:
    """Replaces `Conv(X, W, Expand(CastLike(0, X), shape))` by `Conv(X, W)`."""
    for node in model.graph.all_nodes():
        if node.op_type in ("Conv", "ConvTranspose") and len(node.inputs) > _BIAS and _is_zero(node.inputs[_BIAS]):
            node.resize_inputs(_BIAS)


def spell_as_standard(model: ir.Model) -> None:
    """Replaces `interlingua::CumProd(X, axis=a)` by `CumProd(X, a)`, which is younger than the opset of the file."""
    for node in model.graph.all_nodes():
        if node.domain == "interlingua" and node.op_type == "CumProd":
            axis = np.asarray(node.attributes.pop("axis").as_int(), np.int64)
            name = f"{node.name}.axis"
            node.resize_inputs(2)
            node.replace_input_with(1, add_initializer(model.graph, name, axis, Constant(name)))
            node.domain, node.version = "", _CUMULATIVE_PRODUCT


def _is_zero(value: ir.Value | None) -> bool:
    """Whether the value is a zero, however often cast and expanded."""
    while value is not None:
        producer = value.producer()
        if producer is None or producer.op_type == "Constant":
            number = _number(value, producer)
            return number is not None and not number.any()
        if producer.op_type not in ("Expand", "CastLike", "Cast"):
            return False
        value = producer.inputs[0]
    return False


def _number(value: ir.Value, producer: ir.Node | None) -> np.ndarray[Any, Any] | None:
    """A scalar constant of the exporter's; a parameter, though it hold zeros, is none."""
    if producer is None:
        return constant(value) if metadata.is_constant(value) else None
    held = producer.attributes.get("value")
    return held.as_tensor().numpy() if held is not None and held.type == ir.AttributeType.TENSOR else None


def tell_casts(model: ir.Model, notes: Notes) -> None:
    """Notes each cast between kinds of real numbers that the exporter put in and the program does not say."""
    for node in model.graph.all_nodes():
        said = _TARGET.search(node.metadata_props.get(_PROGRAM_NODE, ""))
        if node.op_type != "Cast" or said is None or _is_cast(said[1]):
            continue
        source, target = node.inputs[0], node.outputs[0]
        before, after = None if source is None else source.dtype, target.dtype
        if before is None or after is None or before == after:
            continue
        if before.is_floating_point() and after.is_floating_point():
            text = f"cast from {before.numpy()} to {after.numpy()} by PyTorch's exporter, for {said[1]}"
            notes.add(Changed(metadata.place(node).module or said[1], text))


def _is_cast(target: str) -> bool:
    """Whether an operator of PyTorch says itself that it casts."""
    return any(word in target for word in ("_to_copy", ".to.", "type_as", "convert_element_type", "._cast"))


def restore_dropouts(model: ir.Model, dropouts: Sequence[Mapping[str, Any]], notes: Notes) -> None:
    """Replaces the `Identity(X)` that a dropout of the program became by `Dropout(X, ratio)`.

    `dropouts` are those of the program, in its order: the module's path and the ratio.
    """
    wanted: dict[str, list[float]] = {}
    for row in dropouts:
        wanted.setdefault(row["module"], []).append(row["ratio"])
    found: dict[str, list[ir.Node]] = {}
    for node in model.graph:
        if node.op_type == "Identity" and node.domain == "":
            found.setdefault(metadata.place(node).module, []).append(node)
    for module, ratios in wanted.items():
        nodes = found.get(module, [])
        if len(nodes) != len(ratios):
            notes.add(Dropped(module or "the model", "a dropout, which PyTorch's exporter left out"))
            continue
        for node, ratio in zip(nodes, ratios, strict=True):
            name = f"{node.name}.ratio"
            number = add_initializer(model.graph, name, np.asarray(ratio, np.float32), Constant(name))
            dropout = ir.node("Dropout", [node.inputs[0], number], name=node.name)
            replace(node, [dropout])


def restore_recurrent_dropouts(model: ir.Model, rows: Sequence[Mapping[str, Any]], notes: Notes) -> None:
    """Replaces `LSTM(LSTM(X))` by `LSTM(Dropout(LSTM(X), ratio))` where the source has a dropout between its layers.

    `rows` are the recurrent layers of the program, in its order: the module's path, how many there are on each other,
    and the ratio.
    """
    wanted: dict[str, list[float | None]] = {}
    for row in rows:
        wanted.setdefault(row["module"], []).extend([None, *[row["ratio"]] * (row["layers"] - 1)])
    found: dict[str, list[ir.Node]] = {}
    for node in model.graph:
        if node.op_type in ("LSTM", "GRU", "RNN") and node.domain == "":
            found.setdefault(metadata.place(node).module, []).append(node)
    for module, ratios in wanted.items():
        nodes = found.get(module, [])
        if not any(ratios):
            continue
        if len(nodes) != len(ratios):
            notes.add(Dropped(module or "the model", "dropouts between recurrent layers, which the exporter left out"))
            continue
        for node, ratio in zip(nodes, ratios, strict=True):
            if ratio:
                name = f"{node.name}.ratio"
                number = add_initializer(model.graph, name, np.asarray(ratio, np.float32), Constant(name))
                dropout = ir.node("Dropout", [node.inputs[0], number], name=f"{node.name}.dropout")
                dropout.outputs[0].type = node.inputs[0].type if node.inputs[0] is not None else None
                insert_before(node, [dropout])
                node.replace_input_with(0, dropout.outputs[0])
