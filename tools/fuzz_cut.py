"""Cuts a random graph into graphs of one node each, fed with what onnxruntime computed before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper
from suite_cases import by_onnxruntime

_RANDOM = frozenset(("RandomNormalLike", "RandomUniformLike", "Bernoulli"))

Feeds = Mapping[str, np.ndarray[Any, Any]]


def single_nodes(model: bytes, feeds: Feeds) -> Iterator[tuple[bytes, dict[str, np.ndarray[Any, Any]]]]:
    """Each node that reads and gives tensors alone, as a model with its inputs; constants of the model stay such."""
    proto = onnx.ModelProto.FromString(model)
    values = {**feeds, **_computed(proto, feeds)}
    constants = {each.name: each for each in proto.graph.initializer}
    for node in proto.graph.node:
        read = [name for name in dict.fromkeys([*node.input, *_captured(node)]) if name]
        given = {name: values[name] for name in read if name in values}
        if node.op_type in _RANDOM or any(name not in values and name not in constants for name in read):
            continue
        ports = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape)
            for name, each in given.items()
        ]
        outputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), None)
            for name in node.output
            if name in values
        ]
        kept = [constants[name] for name in read if name in constants]
        if outputs:
            part = helper.make_graph([node], "node", ports, outputs, kept)
            made = helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version)
            yield made.SerializeToString(), given


def _captured(node: onnx.NodeProto) -> list[str]:
    """The outer values that subgraphs of the node read."""
    names: list[str] = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inner = {each.name for each in attribute.g.input} | {name for n in attribute.g.node for name in n.output}
            names += [name for each in attribute.g.node for name in each.input if name not in inner]
    return names


def _computed(proto: onnx.ModelProto, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
    """Every tensor between the nodes, as onnxruntime computes it."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    shown = {each.name for each in whole.graph.output}
    names = [name for node in whole.graph.node for name in node.output if name]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    try:
        values = by_onnxruntime(whole.SerializeToString(), feeds)
    except Exception:  # a sequence or an unknown type among them
        return {}
    order = [each.name for each in whole.graph.output]
    return {name: each for name, each in zip(order, values, strict=True) if isinstance(each, np.ndarray)}
