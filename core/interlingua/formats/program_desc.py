"""ProgramDesc: the static graph of Fluid and of Paddle before PIR (`__model__`, `.pdmodel`), read from its bytes.

The result is plain data: a reader, an inspector or a test makes a `Program` by hand just as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.errors import InvalidSource
from interlingua.formats.lod_tensor import DTYPES
from interlingua.formats.wire import Field, decode

LOD_TENSOR, SELECTED_ROWS, FEED, FETCH, TENSOR_ARRAY, READER, RAW = 7, 8, 9, 10, 13, 15, 17
_LARGEST = 2**31 - 1

_TENSOR = {1: Field("data_type", "int"), 2: Field("dims", "int", repeated=True)}
_LOD_TENSOR = {1: Field("tensor", _TENSOR), 2: Field("lod_level", "int")}
_TYPE = {1: Field("type", "int"), 3: Field("lod_tensor", _LOD_TENSOR), 4: Field("tensor_array", _LOD_TENSOR)}
_VARIABLE = {1: Field("name", "string"), 2: Field("type", _TYPE), 3: Field("persistable", "bool")}
_SLOT = {1: Field("parameter", "string"), 2: Field("arguments", "string", repeated=True)}
_ATTRIBUTE = {
    1: Field("name", "string"),
    2: Field("type", "int"),
    3: Field("i", "int"),
    4: Field("f", "float"),
    5: Field("s", "bytes"),
    6: Field("ints", "int", repeated=True),
    7: Field("floats", "float", repeated=True),
    8: Field("strings", "bytes", repeated=True),
    10: Field("b", "bool"),
    11: Field("bools", "bool", repeated=True),
    12: Field("block_idx", "int"),
    13: Field("l", "int"),
    14: Field("blocks_idx", "int", repeated=True),
    15: Field("longs", "int", repeated=True),
    19: Field("float64", "double"),
}
_OPERATOR = {
    1: Field("inputs", _SLOT, repeated=True),
    2: Field("outputs", _SLOT, repeated=True),
    3: Field("type", "string"),
    4: Field("attrs", _ATTRIBUTE, repeated=True),
}
_BLOCK = {
    1: Field("idx", "int"),
    2: Field("parent_idx", "int"),
    3: Field("vars", _VARIABLE, repeated=True),
    4: Field("ops", _OPERATOR, repeated=True),
}
_PROGRAM = {1: Field("blocks", _BLOCK, repeated=True), 4: Field("version", {1: Field("version", "int")})}

_ATTRIBUTE_FIELD = {
    0: "i",
    1: "f",
    2: "s",
    3: "ints",
    4: "floats",
    5: "strings",
    6: "b",
    7: "bools",
    8: "block_idx",
    9: "l",
    10: "blocks_idx",
    11: "longs",
    15: "float64",
}


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of a block. `shape` has −1 where an axis is open; `dtype` is None for what is no tensor."""

    name: str
    kind: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    persistable: bool


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator: its variables by slot ("Input", "Filter", …) and its attributes, floats as they were written."""

    type: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, Any]
    index: int

    def reads(self) -> list[str]:
        """The names of all its inputs."""
        return [name for names in self.inputs.values() for name in names]

    def writes(self) -> list[str]:
        """The names of all its outputs."""
        return [name for names in self.outputs.values() for name in names]


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of operators in the order in which they run."""

    variables: Mapping[str, Variable]
    operators: tuple[Operator, ...]


@dataclasses.dataclass(frozen=True)
class Program:
    """A static graph. `version` is the writer's (1008005 is 1.8.5, 0 where it says none)."""

    blocks: tuple[Block, ...]
    version: int = 0

    @property
    def variables(self) -> Mapping[str, Variable]:
        """The variables of the outermost block."""
        return self.blocks[0].variables

    def feeds(self) -> list[str]:
        """The variables that are fed, in their columns' order."""
        found = [op for op in self.blocks[0].operators if op.type == "feed"]
        return [name for op in sorted(found, key=_column) for name in op.writes()]

    def fetches(self) -> list[str]:
        """The variables that are fetched, in their columns' order."""
        found = [op for op in self.blocks[0].operators if op.type == "fetch"]
        return [name for op in sorted(found, key=_column) for name in op.reads()]

    def saved(self) -> list[str]:
        """The names a file of all weights holds, in its order."""
        kinds = (FEED, FETCH, READER, RAW)
        variables = (v for block in self.blocks for v in block.variables.values())
        return sorted({v.name for v in variables if v.persistable and v.kind not in kinds})

    def needed(self, outputs: Iterable[str], given: Iterable[str] = ()) -> list[Operator]:
        """The operators of the outermost block that `outputs` depend on when `given` is fed, feed and fetch left out.

        An operator that writes a variable it does not read hides earlier writers of it.
        """
        wanted, given, kept = set(outputs), set(given), []
        for op in reversed(self.blocks[0].operators):
            if op.type in ("feed", "fetch") or wanted.isdisjoint(op.writes()):
                continue
            kept.append(op)
            wanted -= set(op.writes())
            wanted |= set(op.reads()) - given
        return kept[::-1]


def _column(op: Operator) -> int:
    return int(op.attributes.get("col", 0))


def read_program(path: Path) -> Program:
    """The program in a file.

    Raises:
        InvalidSource: the file is missing, too large, or no ProgramDesc; a PIR file is named as such.
    """
    if not path.is_file():
        raise InvalidSource(f"Expected a program. Received {str(path)!r}, which is not a file.")
    if path.stat().st_size > _LARGEST:
        raise InvalidSource("Expected a program of less than 2 GB. Received a larger file.", place=str(path))
    try:
        return parse_program(path.read_bytes())
    except InvalidSource as error:
        raise InvalidSource(error.message, place=str(path), hint=error.hint) from None


def parse_program(data: bytes) -> Program:
    """The program in these bytes.

    Raises:
        InvalidSource: they are no ProgramDesc.
    """
    if not data:
        raise InvalidSource("Expected a program. Received an empty file.")
    if data.lstrip()[:1] == b"{":
        raise InvalidSource(
            "Expected a program of Fluid (ProgramDesc). Received text that begins as JSON, as the PIR programs of "
            "Paddle 3 do.",
            hint="Name it `.json` beside its `.pdiparams` and read it as Paddle's.",
        )
    message = decode(data, _PROGRAM)
    if not message["blocks"]:
        raise InvalidSource("Expected a program of Fluid (ProgramDesc). Received a message without blocks.")
    blocks = tuple(_block(block) for block in message["blocks"])
    return Program(blocks, int(message.get("version", {}).get("version", 0)))


def _block(message: dict[str, Any]) -> Block:
    variables = [_variable(variable) for variable in message["vars"]]
    operators = tuple(_operator(op, index) for index, op in enumerate(message["ops"]))
    return Block({variable.name: variable for variable in variables}, operators)


def _variable(message: dict[str, Any]) -> Variable:
    kind = message.get("type", {})
    if "name" not in message or "type" not in kind:
        raise InvalidSource("Expected a variable with a name and a type. Received one without.")
    tensor = (kind.get("lod_tensor") or kind.get("tensor_array") or {}).get("tensor", {})
    # The writer multiplies open axes into others: −49 is as open as −1.
    shape, dtype = tuple(max(axis, -1) for axis in tensor.get("dims", ())), DTYPES.get(tensor.get("data_type", -1))
    if len(shape) > 32:
        raise InvalidSource(f"Expected a shape. Received {len(shape)} axes.", place=message["name"])
    return Variable(message["name"], kind["type"], shape, dtype, bool(message.get("persistable", False)))


def _operator(message: dict[str, Any], index: int) -> Operator:
    if "type" not in message:
        raise InvalidSource("Expected an operator with a type. Received one without.", place=f"operator {index}")
    attributes = dict(_attribute(attribute, index) for attribute in message["attrs"])
    slots = [
        {slot.get("parameter", ""): tuple(slot["arguments"]) for slot in message[k]} for k in ("inputs", "outputs")
    ]
    return Operator(message["type"], slots[0], slots[1], attributes, index)


def _attribute(message: dict[str, Any], index: int) -> tuple[str, Any]:
    """The name and value; float32 numbers as a person wrote them (0.9, not 0.899999976…)."""
    field = _ATTRIBUTE_FIELD.get(message.get("type", -1))
    name = message.get("name")
    if field is None or name is None or field not in message:
        raise InvalidSource(
            f"Expected an attribute with a name, a known type and a value. Received {name!r} of type "
            f"{message.get('type')}.",
            place=f"operator {index}",
        )
    value = message[field]
    if field == "f":
        return name, _as_written(value)
    if field == "floats":
        return name, [_as_written(number) for number in value]
    if field == "s":
        return name, value.decode("utf-8", "replace")
    if field == "strings":
        return name, [text.decode("utf-8", "replace") for text in value]
    return name, value


def _as_written(value: float) -> float:
    return float(str(np.float32(value)))
