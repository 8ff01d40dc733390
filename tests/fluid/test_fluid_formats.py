"""Tensor streams and programs from their bytes, and what is said of broken ones. No Fluid needed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from interlingua.errors import InvalidSource
from interlingua.formats import wire
from interlingua.formats.lod_tensor import read_stream
from interlingua.formats.program_desc import parse_program


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def stream(array: np.ndarray, dtype: int = 5, lod: bytes = b"") -> bytes:
    descriptor = number(1, dtype) + b"".join(number(2, size) for size in array.shape)
    levels = struct.pack("<Q", 1) + struct.pack("<Q", len(lod)) + lod if lod else struct.pack("<Q", 0)
    return struct.pack("<I", 0) + levels + struct.pack("<Ii", 0, len(descriptor)) + descriptor + array.tobytes()


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_stream_gives_shapes_types_and_mapped_elements(tmp_path: Path) -> None:
    numbers = np.arange(4, dtype=np.int64)
    (tmp_path / "w").write_bytes(
        stream(MATRIX, lod=bytes(16)) + stream(numbers, 3) + stream(np.float32(2.5).reshape(()))
    )
    matrix, vector, scalar = read_stream(tmp_path / "w", ["a", "b", "c"])
    assert (matrix.name, matrix.shape, matrix.nbytes) == ("a", (2, 3), 24)
    assert np.array_equal(matrix.array(), MATRIX) and np.array_equal(vector.array(), numbers)
    assert scalar.array() == np.float32(2.5) and not matrix.array().flags.writeable
    assert len(read_stream(tmp_path / "w")) == 3


@pytest.mark.parametrize(
    ("change", "law"),
    [
        (lambda data: data[:-1], "Expected 24 bytes"),
        (lambda data: data[:10], "ends inside its header"),
        (lambda data: b"\x01" + data[1:], "version 0"),
        (lambda data: data + b"x", "no more"),
        (lambda data: data[:4] + struct.pack("<Q", 1 << 60) + data[12:], "LoD levels"),
        (lambda data: data[:16] + struct.pack("<i", 1 << 30) + data[20:], "descriptor"),
        (lambda data: data[:21] + b"\x63" + data[22:], "element type"),
        (lambda data: b"", "empty"),
    ],
)
def test_a_broken_stream_is_one_clear_error(tmp_path: Path, change: object, law: str) -> None:
    assert callable(change)
    (tmp_path / "w").write_bytes(change(stream(MATRIX)))
    with pytest.raises(InvalidSource, match=law):
        read_stream(tmp_path / "w", ["a"])


def test_a_declared_size_beyond_the_file_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    descriptor = number(1, 5) + number(2, 1 << 40) + number(2, 1 << 40)
    (tmp_path / "w").write_bytes(bytes(16) + struct.pack("<i", len(descriptor)) + descriptor)
    with pytest.raises(InvalidSource, match="bytes for a float32 tensor"):
        read_stream(tmp_path / "w")


def test_too_few_tensors_are_counted(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(stream(MATRIX))
    with pytest.raises(InvalidSource, match=r"Expected 2 tensors\. Received 1"):
        read_stream(tmp_path / "w", ["a", "b"])


def variable(name: str, shape: tuple[int, ...]) -> bytes:
    tensor = number(1, 5) + b"".join(number(2, size) for size in shape)
    return block(1, name.encode()) + block(2, number(1, 7) + block(3, block(1, tensor))) + number(3, 1)


def operator(kind: str, attributes: bytes = b"") -> bytes:
    inputs, outputs = block(1, b"X") + block(2, b"x"), block(1, b"Out") + block(2, b"y")
    return block(1, inputs) + block(2, outputs) + block(3, kind.encode()) + attributes


def program(*operators: bytes) -> bytes:
    content = (
        number(1, 0) + number(2, -1) + block(3, variable("x", (-1, 3))) + b"".join(block(4, op) for op in operators)
    )
    return block(1, content) + block(4, number(1, 1008005))


def test_a_program_gives_variables_operators_and_attributes() -> None:
    slope = block(4, block(1, b"alpha") + number(2, 1) + varint(4 << 3 | 5) + struct.pack("<f", 0.02))
    found = parse_program(program(operator("leaky_relu", slope)))
    (op,) = found.blocks[0].operators
    assert (found.version, op.type, op.inputs, op.outputs) == (1008005, "leaky_relu", {"X": ("x",)}, {"Out": ("y",)})
    assert op.attributes == {"alpha": 0.02}
    assert found.variables["x"].shape == (-1, 3) and found.saved() == ["x"]
    assert found.needed(["y"]) == [op] and found.needed(["x"]) == []


@pytest.mark.parametrize(
    ("data", "law"),
    [
        (b"", "empty"),
        (b'{"base_code": {"magic": "pir"}}', "begins as JSON"),
        (program(operator("relu"))[:-30], "whole protocol-buffer message"),
        (b"\x0a\xff\xff\xff\xff\x7f", "whole protocol-buffer message"),
        (b"\x80" * 20, "number"),
        (number(4, 1), "Expected bytes|without blocks"),
        (program(operator("relu", block(4, block(1, b"a") + number(2, 77)))), "attribute with a name"),
    ],
)
def test_a_broken_program_is_one_clear_error(data: bytes, law: str) -> None:
    with pytest.raises(InvalidSource, match=law):
        parse_program(data)


def test_deep_nesting_is_refused() -> None:
    schema: dict[int, wire.Field] = {}
    schema[1] = wire.Field("inner", schema)
    data = b""
    for _ in range(wire.DEEPEST + 2):
        data = block(1, data)
    with pytest.raises(InvalidSource, match="nested"):
        wire.decode(data, schema)


def test_any_damage_gives_a_program_or_one_clear_error() -> None:
    random = np.random.default_rng(3)
    slope = block(4, block(1, b"alpha") + number(2, 1) + varint(4 << 3 | 5) + struct.pack("<f", 0.02))
    whole = program(operator("leaky_relu", slope), operator("relu"))
    refused = 0
    for _ in range(2000):
        data = bytearray(whole)
        for position in random.integers(0, len(data), random.integers(1, 4)):
            data[position] = random.integers(0, 256)
        try:
            parse_program(bytes(data))
        except InvalidSource:
            refused += 1
    assert 0 < refused < 2000
