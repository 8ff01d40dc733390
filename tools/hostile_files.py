"""The files of `hostile.py`: sound models to mutate, the mutations, and models crafted against known weaknesses."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from hostile_models import SEEDS, bombs, model
from onnx import TensorProto, helper


@dataclasses.dataclass(frozen=True)
class Hostile:
    """One file: its name, its kind, its bytes, and what stands around it (links, weights)."""

    name: str
    kind: str
    content: bytes
    around: Callable[[Path], None] | None = None
    suffix: str = ".onnx"

    def write(self, folder: Path) -> Path:
        """Writes it into the folder; the path to read."""
        path = folder / f"model{self.suffix}"
        path.write_bytes(self.content)
        if self.around is not None:
            self.around(folder)
        return path


def mutated(count: int, chance: random.Random) -> Iterator[Hostile]:
    """Sound models, their bytes or fields changed at random."""
    seeds = {name: onnx.parser.parse_model(text) for name, text in SEEDS.items()}
    names = sorted(seeds)
    for index in range(count):
        name = names[index % len(names)]
        if index % 3:
            change = chance.choice(BYTES)
            how = change.__name__
            content = change(bytearray(seeds[name].SerializeToString()), chance)
        else:
            alter = chance.choice(FIELDS)
            how = alter.__name__
            proto = onnx.ModelProto()
            proto.CopyFrom(seeds[name])
            for _ in range(chance.randint(1, 3)):
                alter(proto, chance)
            content = bytearray(proto.SerializeToString())
        kind = "bytes" if index % 3 else "fields"
        yield Hostile(f"{index}: {name}, {how}", kind, bytes(content))


def flip(data: bytearray, chance: random.Random) -> bytearray:
    """Flips one to sixteen bits."""
    for _ in range(chance.randint(1, 16)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def truncate(data: bytearray, chance: random.Random) -> bytearray:
    """Cuts the end off."""
    return data[: chance.randrange(len(data))]


def remove(data: bytearray, chance: random.Random) -> bytearray:
    """Takes some bytes out of the middle."""
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, 40)]
    return data


def repeat(data: bytearray, chance: random.Random) -> bytearray:
    """Says a part twice."""
    start = chance.randrange(len(data))
    part = data[start : start + chance.randint(1, 60)]
    return data[:start] + part + data[start:]


def scramble(data: bytearray, chance: random.Random) -> bytearray:
    """Writes random bytes over a part: bad numbers, bad UTF-8."""
    start = chance.randrange(len(data))
    for place in range(start, min(start + chance.randint(1, 12), len(data))):
        data[place] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return data


def swap(data: bytearray, chance: random.Random) -> bytearray:
    """Exchanges two parts of one length."""
    length = chance.randint(1, 30)
    first, second = (chance.randrange(max(len(data) - length, 1)) for _ in range(2))
    data[first : first + length], data[second : second + length] = (
        data[second : second + length],
        data[first : first + length],
    )
    return data


BYTES = (flip, truncate, remove, repeat, scramble, swap)


def _nodes(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    found, pending = [], [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    while pending:
        node = pending.pop()
        found.append(node)
        for attribute in node.attribute:
            pending.extend(attribute.g.node)
    return found


def _tensors(proto: onnx.ModelProto) -> list[onnx.TensorProto]:
    inner = [attribute.t for node in _nodes(proto) for attribute in node.attribute if attribute.HasField("t")]
    return [*proto.graph.initializer, *inner]


def op_type(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Gives a node another operator."""
    others = (
        "Conv",
        "Loop",
        "If",
        "Scan",
        "Split",
        "Resize",
        "Pad",
        "Attention",
        "LSTM",
        "TopK",
        "",
        "Nothing",
        "Constant",
    )
    chance.choice(_nodes(proto)).op_type = chance.choice(others)


def wiring(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Lets a node read from anywhere: itself, a later one, nothing."""
    nodes = _nodes(proto)
    names = [name for node in nodes for name in (*node.input, *node.output)] + ["", "nobody"]
    node = chance.choice([node for node in nodes if node.input] or nodes)
    if node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice(names)


def outputs(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Lets two nodes compute one value, or one compute nothing."""
    first, second = chance.choice(_nodes(proto)), chance.choice(_nodes(proto))
    if first.output and second.output:
        first.output[0] = chance.choice(("", second.output[0]))


def arity(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Takes inputs or outputs away, or adds some."""
    node = chance.choice(_nodes(proto))
    field = chance.choice((node.input, node.output))
    if field and chance.random() < 0.6:
        del field[-1]
    else:
        field.extend(["more"] * chance.choice((1, 2, 50)))


def attributes(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Takes an attribute away, gives it another type or an absurd value."""
    node = chance.choice([node for node in _nodes(proto) if node.attribute] or _nodes(proto))
    if not node.attribute:
        node.attribute.add(name="axis", type=chance.choice((0, 1, 2, 5, 6, 7, 99)))
        return
    attribute = chance.choice(node.attribute)
    how = chance.randrange(5)
    if how == 0:
        node.attribute.remove(attribute)
    elif how == 1:
        attribute.type = chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
    elif how == 2:
        attribute.i = chance.choice((-1, -(1 << 63), (1 << 63) - 1, 1 << 31, 0))
    elif how == 3:
        attribute.ints.extend([chance.choice((0, -1, 1 << 40))] * chance.choice((1, 3, 1000)))
    else:
        attribute.ref_attr_name = "elsewhere"


def sizes(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Declares absurd shapes of weights, inputs and outputs."""
    size = chance.choice((-1, 0, 1, 7, 1 << 31, (1 << 62) + 1))
    tensors = _tensors(proto)
    if tensors and chance.random() < 0.6:
        tensor = chance.choice(tensors)
        if tensor.dims and chance.random() < 0.7:
            tensor.dims[chance.randrange(len(tensor.dims))] = size
        else:
            tensor.dims.append(size)
        return
    info = chance.choice([*proto.graph.input, *proto.graph.output])
    info.type.tensor_type.shape.dim.add().dim_value = size


def types(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Declares other element types, also ones that do not exist."""
    kind = chance.choice((0, 1, 2, 7, 8, 9, 10, 16, 17, 22, 23, 24, 25, 99, -1))
    tensors = _tensors(proto)
    if tensors and chance.random() < 0.6:
        chance.choice(tensors).data_type = kind
    else:
        chance.choice([*proto.graph.input, *proto.graph.output]).type.tensor_type.elem_type = kind


def opsets(proto: onnx.ModelProto, chance: random.Random) -> None:
    """States absurd, double or no opsets and IR versions."""
    how = chance.randrange(4)
    if how == 0:
        proto.opset_import[0].version = chance.choice((-1, 0, 1, 6, 11, 28, 99, 1 << 62))
    elif how == 1:
        del proto.opset_import[:]
    elif how == 2:
        proto.opset_import.add(domain="", version=chance.choice((1, 9, 27)))
    else:
        proto.ir_version = chance.choice((-1, 0, 1, 3, 99, 1 << 60))


def external(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Lets a weight stand elsewhere."""
    tensors = _tensors(proto)
    if not tensors:
        return
    tensor = chance.choice(tensors)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", chance.choice(("../outside", "/etc/passwd", "model.onnx", "", "a\0b", "x" * 5000))),
        ("offset", chance.choice(("0", "-1", "99999999999999999999", "x"))),
        ("length", chance.choice(("0", "4", "-4", "18446744073709551616"))),
    ):
        tensor.external_data.add(key=key, value=value)


def values(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Changes the numbers of small constants: axes, shapes, indices."""
    tensors = [tensor for tensor in _tensors(proto) if tensor.data_type == TensorProto.INT64]
    if not tensors:
        return
    tensor = chance.choice(tensors)
    array = onnx.numpy_helper.to_array(tensor).copy().reshape(-1)
    if array.size:
        array[chance.randrange(array.size)] = chance.choice((-1, 0, 99, 1 << 40, -(1 << 63)))
        tensor.CopyFrom(onnx.numpy_helper.from_array(array.reshape(tuple(tensor.dims)), tensor.name))


def nodes(proto: onnx.ModelProto, chance: random.Random) -> None:
    """Drops, doubles or reverses nodes."""
    graph, how = proto.graph, chance.randrange(3)
    if not graph.node:
        return
    index = chance.randrange(len(graph.node))
    if how == 0:
        del graph.node[index]
    elif how == 1:
        graph.node.add().CopyFrom(graph.node[index])
    else:
        order = list(graph.node)[::-1]
        del graph.node[:]
        graph.node.extend(order)


FIELDS = (op_type, wiring, outputs, arity, attributes, sizes, types, opsets, external, values, nodes)


def crafted() -> Iterator[Hostile]:
    """Files made against one weakness each."""
    for name, proto in bombs():
        yield Hostile(name, "crafted", proto.SerializeToString())
    yield from _locations()
    yield from _texts()
    sound = model(helper.make_node("Relu", ["x"], ["y"])).SerializeToString()
    for depth in (50, 150, 5000):
        yield Hostile(f"{depth} nested subgraphs", "crafted", _nested(depth))
    yield Hostile("text that is no UTF-8", "crafted", sound.replace(b"Relu", b"\xff\xfe\xfd\xfc"))
    yield Hostile("a length beyond the file", "crafted", sound + b"\x3a\xff\xff\xff\xff\x0f")
    yield Hostile("an endless number", "crafted", sound + b"\x08" + b"\xff" * 400)
    yield Hostile("nothing but zeros", "crafted", bytes(100_000))
    yield Hostile("two graphs", "crafted", sound + sound)
    yield Hostile("a field of a hundred thousand unknown numbers", "crafted", sound + b"\xc8\x01\x01" * 100_000)


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while True:
        length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + length + content


def _nested(depth: int) -> bytes:
    """A model whose only node holds a graph whose only node holds a graph …, written without a parser's limit."""
    graph = _field(2, b"g") + _field(12, _field(1, b"t"))
    for _ in range(depth):
        attribute = _field(1, b"then_branch") + _field(6, graph) + b"\xa0\x01\x05"
        node = _field(1, b"c") + _field(2, b"t") + _field(4, b"If") + _field(5, attribute)
        graph = _field(1, node) + _field(2, b"g") + _field(12, _field(1, b"t"))
    return b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x11")


def _locations() -> Iterator[Hostile]:
    """Weights that stand where nobody may read."""

    def links(folder: Path) -> None:
        (folder.parent / "secret").write_bytes(bytes(4096))
        (folder / "link").symlink_to(folder.parent / "secret")
        (folder / "zero").symlink_to("/dev/zero")
        (folder / "standard_input").symlink_to("/dev/fd/0")
        (folder / "loop").symlink_to(folder / "loop")
        (folder / "up").symlink_to(folder.parent)
        (folder / "sub").mkdir()
        (folder / "short").write_bytes(bytes(10))
        os.mkfifo(folder / "pipe")

    places: tuple[str, ...] = (
        "../secret",
        "/etc/passwd",
        "link",
        "zero",
        "standard_input",
        "loop",
        "up/secret",
        "sub",
        "sub/../../secret",
    )
    places += (
        "short",
        "pipe",
        "missing",
        "",
        ".",
        "..",
        "a\0b",
        "file:///etc/passwd",
        "~/x",
        "x" * 4000,
        "ä",
    )
    for place in places:
        for holder in ("initializer", "attribute", "subgraph"):
            proto = _external(place, holder)
            yield Hostile(f"weights of an {holder} at {place[:30]!r}", "location", proto.SerializeToString(), links)


def _external(location: str, holder: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[32, 32], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    add = helper.make_node("Add", ["x", "w"], ["y"])
    if holder == "initializer":
        return model(add, initializers=[tensor])
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    if holder == "attribute":
        return model(constant, add)
    body = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "b", [], [_info("z")], [tensor])
    choice = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    flag = onnx.numpy_helper.from_array(np.array(True), "c")
    return model(choice, initializers=[flag])


def _info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _texts() -> Iterator[Hostile]:
    head = '<ir_version: 8, opset_import: ["": 17]> g (float[4] x) => (float[4] y) '
    texts = {
        "no end": head + "{ y = Relu (x)",
        "deep attributes": head + "{ y = If (x) <then_branch = g () => (float z) {" * 300,
        "a long name": head + "{ y = " + "R" * 200_000 + " (x) }",
        "a huge number": head + "{ y = Relu <a = " + "9" * 5000 + "> (x) }",
        "nothing": "",
        "a null byte": head + "{ y = Relu (x\0) }",
    }
    for name, text in texts.items():
        yield Hostile(f"text with {name}", "text", text.encode(), suffix=".onnxtxt")
    yield Hostile("json with a wrong type", "text", b'{"irVersion": "x", "graph": []}', suffix=".json")
    yield Hostile("json, deeply nested", "text", b'{"irVersion": "8", "graph": ' + b'{"node":[' * 5000, suffix=".json")
    yield Hostile(
        "text protocol buffers, cut", "text", b'ir_version: 8 graph { node { op_type: "Relu"', suffix=".textproto"
    )
