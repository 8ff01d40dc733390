"""Brings a parsed ONNX model to what the IR can hold: sparse tensors dense, types without a word kept in metadata."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx

from interlingua.errors import InvalidSource
from interlingua.ir import foreign_types
from interlingua.notes import Assumed, Dropped, Notes

LARGEST_DENSE = 1 << 30
"""Bytes that a sparse tensor may take as a dense one."""

LARGEST_INLINED = 1_000_000
"""Nodes that a model may have when all its functions are inlined."""


def prepare(proto: onnx.ModelProto, notes: Notes, file: str) -> None:
    """Changes the model in place.

    Raises:
        InvalidSource: a sparse tensor contradicts itself or would be too large, functions call themselves or grow
            beyond any use.
    """
    _check_text(proto)
    _check_attributes(proto)
    for graph in graphs(proto.graph):
        _densify(graph)
        for info in (*graph.input, *graph.output, *graph.value_info):
            foreign_types.hide(info)
    for node in all_nodes(proto):
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                dense = _dense(attribute.sparse_tensor)
                attribute.ClearField("sparse_tensor")
                attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
                attribute.t.CopyFrom(dense)
    _check_functions(proto)
    _complete_imports(proto, notes)
    if proto.training_info:
        notes.add(Dropped(file, "training information: the inference graph alone is converted"))
        del proto.training_info[:]


def _check_text(proto: onnx.ModelProto) -> None:
    """Refuses names that are no UTF-8: the parser hands them on as bytes."""
    texts: list[object] = [each.domain for each in proto.opset_import]
    texts.extend(name for each in proto.functions for name in (each.domain, each.name, *each.input, *each.output))
    for graph in graphs(proto.graph):
        texts.extend((graph.name, *(info.name for info in (*graph.input, *graph.output, *graph.value_info))))
    for node in all_nodes(proto):
        texts.extend((node.op_type, node.domain, node.overload, node.name, *node.input, *node.output))
        texts.extend(attribute.name for attribute in node.attribute)
    texts.extend(tensor.name for tensor in tensors(proto))
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise InvalidSource(f"Expected names in UTF-8. Received {wrong!r:.80}.")


_HOLDS = {
    onnx.AttributeProto.FLOAT: "f",
    onnx.AttributeProto.INT: "i",
    onnx.AttributeProto.STRING: "s",
    onnx.AttributeProto.TENSOR: "t",
    onnx.AttributeProto.GRAPH: "g",
    onnx.AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    onnx.AttributeProto.TYPE_PROTO: "tp",
}
_HOLDS_MANY = {
    onnx.AttributeProto.FLOATS: "floats",
    onnx.AttributeProto.INTS: "ints",
    onnx.AttributeProto.STRINGS: "strings",
    onnx.AttributeProto.TENSORS: "tensors",
    onnx.AttributeProto.GRAPHS: "graphs",
    onnx.AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    onnx.AttributeProto.TYPE_PROTOS: "type_protos",
}


def _check_attributes(proto: onnx.ModelProto) -> None:
    """Refuses attributes that hold something else than they say; in the oldest files they say nothing and hold it."""
    for graph in graphs(proto.graph):
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.ref_attr_name:
                    raise InvalidSource(
                        f"Expected values of attributes outside functions. Received {attribute.name!r} of a "
                        f"{node.op_type!r}, which refers to {attribute.ref_attr_name!r}."
                    )
    for node in all_nodes(proto):
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                _check_attribute(node, attribute)


def _check_attribute(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> None:
    held = [kind for kind, field in _HOLDS.items() if attribute.HasField(field)]
    held += [kind for kind, field in _HOLDS_MANY.items() if len(getattr(attribute, field))]
    if attribute.type == onnx.AttributeProto.UNDEFINED and len(held) == 1:
        attribute.type = held[0]
    numbers = (onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT, onnx.AttributeProto.STRING)
    empty = attribute.type in numbers or attribute.type in _HOLDS_MANY  # some writers leave zeros and "" out
    if attribute.type not in held and (held or not empty):
        raise InvalidSource(
            f"Expected attributes that hold what they say. Received {attribute.name!r} of a {node.op_type!r}."
        )


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and every subgraph of it."""
    yield graph
    for node in graph.node:
        yield from _inside(node)


def _inside(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from graphs(attribute.g)
        for each in attribute.graphs:
            yield from graphs(each)


def all_nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node of the model's graphs and functions."""
    for graph in graphs(proto.graph):
        yield from graph.node
    for function in proto.functions:
        yield from _within(function.node)


def _within(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for graph in _inside(node):
            yield from graph.node


def tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every dense tensor of the model: initializers and attributes, of subgraphs and functions too."""
    for graph in graphs(proto.graph):
        yield from graph.initializer
    for function in proto.functions:
        for node in function.node:
            for graph in _inside(node):
                yield from graph.initializer
    for node in all_nodes(proto):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _densify(graph: onnx.GraphProto) -> None:
    for sparse in graph.sparse_initializer:
        graph.initializer.append(_dense(sparse))
    del graph.sparse_initializer[:]


def _dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    """The sparse tensor as a dense one, under the name of its values."""
    name, shape = sparse.values.name, tuple(sparse.dims)
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(sparse.values.data_type)
        if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize > LARGEST_DENSE:
            raise InvalidSource(
                f"Expected a sparse tensor of at most {LARGEST_DENSE >> 20} MiB as a dense one. "
                f"Received {name!r} of shape {list(shape)}."
            )
        external = onnx.TensorProto.EXTERNAL
        if external in (sparse.values.data_location, sparse.indices.data_location):
            raise InvalidSource(f"Expected the sparse tensor {name!r} inside the model. Received an external one.")
        values = onnx.numpy_helper.to_array(sparse.values)
        indices = onnx.numpy_helper.to_array(sparse.indices)
        dense = np.zeros(shape, dtype)
        places = tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, shape)
        dense[places] = values
    except (ValueError, IndexError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise InvalidSource(f"Expected a sparse tensor that fits its shape. Received {name!r}: {error}.") from error
    return onnx.numpy_helper.from_array(dense, name)


def _check_functions(proto: onnx.ModelProto) -> None:
    """Refuses functions that call themselves, or one another so often that nothing could hold the result."""
    bodies = {(each.domain, each.name, each.overload): each for each in proto.functions}
    sizes: dict[tuple[str, str, str], int] = {}
    pending: list[tuple[tuple[str, str, str], bool]] = [(key, False) for key in bodies]
    open_calls: set[tuple[str, str, str]] = set()
    size_of = _size_of(bodies, sizes)
    while pending:
        key, done = pending.pop()
        if done:
            open_calls.discard(key)
            sizes[key] = size_of(_within(bodies[key].node))
            continue
        if key in sizes:
            continue
        if key in open_calls:
            raise InvalidSource(f"Expected functions that do not call themselves. Received {key[0]}.{key[1]}.")
        open_calls.add(key)
        pending.append((key, True))
        for node in _within(bodies[key].node):
            called = _key(node)
            if called in bodies and called not in sizes:
                if called in open_calls:
                    raise InvalidSource(f"Expected functions that do not call themselves. Received {key[0]}.{key[1]}.")
                pending.append((called, False))
    total = size_of(node for graph in graphs(proto.graph) for node in graph.node)
    if total > LARGEST_INLINED:
        raise InvalidSource(
            f"Expected a model of at most {LARGEST_INLINED} nodes, its functions inlined. Received {total}."
        )


def _size_of(
    bodies: dict[tuple[str, str, str], onnx.FunctionProto], sizes: dict[tuple[str, str, str], int]
) -> Callable[[Iterable[onnx.NodeProto]], int]:
    def size(nodes: Iterable[onnx.NodeProto]) -> int:
        return sum(sizes.get(_key(node), 1) if _key(node) in bodies else 1 for node in nodes)

    return size


def _key(node: onnx.NodeProto) -> tuple[str, str, str]:
    return (node.domain, node.op_type, node.overload)


def _complete_imports(proto: onnx.ModelProto, notes: Notes) -> None:
    """States an opset for every domain that nodes speak of."""
    stated = {each.domain for each in proto.opset_import} | ({""} if _standard(proto) else set())
    called = {(each.domain, each.name) for each in proto.functions}
    for node in all_nodes(proto):
        if node.domain in stated or (node.domain == "ai.onnx" and "" in stated):
            continue
        stated.add(node.domain)
        if (node.domain, node.op_type) not in called:
            notes.add(Assumed(node.domain or "ai.onnx", "version 1 of its operators: the model states none"))
        proto.opset_import.add(domain=node.domain, version=1)


def _standard(proto: onnx.ModelProto) -> bool:
    return any(each.domain in ("", "ai.onnx") for each in proto.opset_import)
