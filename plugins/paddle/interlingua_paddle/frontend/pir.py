"""PIR programs: the `.json` that Paddle 3 saves, as plain typed values.

The file is a list of operators with typed attributes; values are numbered, parameters carry names and no numbers.
A first digit stands for the dialect ("1.conv2d" is `pd_op.conv2d`), "p" for a parameter. A number that JSON
cannot hold stands under "VD" (infinity, not-a-number).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.codegen.weights import NAMES
from interlingua.errors import InvalidSource

NEWEST = 4
_LARGEST = 1 << 29
_DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op", "4": "pd_dist"}
_ELEMENTS = {
    "bool": "bool",
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "ui8": "uint8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "index": "int64",
    "c64": "complex64",
    "c128": "complex128",
}
_SPECIAL = {"INF": float("inf"), "-INF": float("-inf"), "NaN": float("nan")}


MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
"""What a missing attribute, or one of another type than Paddle writes, leads to."""


def malformed(operator: Operator, place: str, error: Exception) -> InvalidSource:
    """The error for an operator whose attributes or operands are not as Paddle writes them."""
    return InvalidSource(
        f"Expected {operator.name} as Paddle writes it. Received one that is broken ({type(error).__name__}: {error}).",
        place=f"{place}, {operator.label}" if place else operator.label,
    )


@dataclasses.dataclass(frozen=True)
class Value:
    """An operator's result: `dtype` by numpy's name ("" where it is no tensor), None in `shape` for an unknown size."""

    number: int
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A weight: the name Paddle gave it and the value it is used as."""

    name: str
    value: Value


@dataclasses.dataclass(frozen=True)
class Operator:
    """One operation. An input 0 is one that is not given. `scope` is the path of layer classes it was traced in."""

    name: str
    attributes: Mapping[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[Value, ...]
    regions: tuple[tuple[Operator, ...], ...] = ()
    scope: str = ""

    @property
    def label(self) -> str:
        """The operator's name in this program: its kind and the number of its result."""
        return f"{self.name.rpartition('.')[2].rstrip('_')}_{self.outputs[0].number if self.outputs else 0}"


@dataclasses.dataclass(frozen=True)
class Program:
    """A whole file: its parameters, its inputs and outputs by name, its operators in order.

    `weights` and `layers` tell what a program that we wrote ourselves is in its own source's terms.
    """

    version: int
    parameters: tuple[Parameter, ...]
    inputs: Mapping[str, Value]
    outputs: Mapping[str, int]
    operators: tuple[Operator, ...]
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    layers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def values(self) -> dict[int, Value]:
        """Every value of the outermost block by number."""
        found = {parameter.value.number: parameter.value for parameter in self.parameters}
        found |= {value.number: value for value in self.inputs.values()}
        return found | {value.number: value for operator in self.operators for value in operator.outputs}


def is_pir(head: bytes) -> bool:
    """Whether a file that begins so is a PIR program."""
    compact = b"".join(head[:512].split())
    return compact.startswith(b'{"base_code":{') and b'"magic":"pir"' in compact


def load(path: Path) -> Program:
    """The program of a `.json` file.

    Raises:
        InvalidSource: truncated, no JSON, no PIR program, of a newer version, or not consistent in itself.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise InvalidSource(f"Expected a program of at most {_LARGEST} bytes. Received {size} bytes.", place=str(path))
    try:
        document = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidSource(
            f"Expected a PIR program as JSON. Received text that ends early or is no JSON ({error}).",
            place=str(path),
            hint="Copy the file again or save the model again with paddle.jit.save.",
        ) from None
    return parse(document, str(path))


def parse(document: Any, place: str) -> Program:
    """The program that a JSON document holds.

    Raises:
        InvalidSource: it is no PIR program, of a newer version, or not consistent in itself.
    """
    base = document.get("base_code") if isinstance(document, dict) else None
    if not isinstance(base, dict) or base.get("magic") != "pir":
        raise InvalidSource("Expected a PIR program. Received JSON without its mark.", place=place)
    version = base.get("version")
    if not isinstance(version, int) or not 1 <= version <= NEWEST:
        raise InvalidSource(
            f"Expected a PIR program of version 1 to {NEWEST} (Paddle 3.0 to 3.3). Received version {version!r}.",
            place=place,
            hint="Save the model with Paddle 3.3 or update interlingua-paddle.",
        )
    try:
        block = _single(_single(document["program"]["regions"])["blocks"])
        program = _program(version, block, document.get(NAMES) or {})
    except (*MALFORMED, RecursionError) as error:
        raise InvalidSource(
            f"Expected a whole PIR program. Received one whose structure is broken ({type(error).__name__}: {error}).",
            place=place,
        ) from None
    _check_numbers(program, place)
    return program


def _single(items: Any) -> Any:
    (item,) = items
    return item


def _program(version: int, block: Mapping[str, Any], names: Mapping[str, Any]) -> Program:
    parameters: list[Parameter] = []
    inputs: dict[str, Value] = {}
    outputs: dict[str, int] = {}
    operators: list[Operator] = []
    for item in block["ops"]:
        if item["#"] == "p":
            parameters.append(Parameter(str(item["A"][3]), _value(item["O"])))
            continue
        operator = _operator(item)
        if operator.name == "pd_op.data" or operator.name == "pd_op.feed":
            inputs[str(operator.attributes["name"])] = _single(operator.outputs)
        elif operator.name == "pd_op.fetch":
            outputs[_unused(str(operator.attributes["name"]), outputs)] = _single(operator.inputs)
        else:
            operators.append(operator)
    carried = [{str(key): str(value) for key, value in names.get(kind, {}).items()} for kind in ("weights", "layers")]
    return Program(version, tuple(parameters), inputs, outputs, tuple(operators), *carried)


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number behind it where one value is fetched twice."""
    candidate, count = name, 1
    while candidate in taken:
        candidate, count = f"{name}_{count}", count + 1
    return candidate


def _operator(item: Mapping[str, Any]) -> Operator:
    attributes = {str(a["N"]): _attribute(a["AT"]) for a in item["A"]}
    regions = tuple(
        tuple(_operator(inner) for block in region["blocks"] for inner in block["ops"] if inner["#"] != "p")
        for region in item.get("regions", ())
    )
    dialect, _, kind = str(item["#"]).partition(".")
    scope = str(attributes.pop("struct_name", "")).strip("/")
    attributes.pop("place", None)
    return Operator(
        f"{_DIALECTS.get(dialect, dialect)}.{kind}",
        attributes,
        tuple(int(source["%"]) for source in item["I"]),
        tuple(_value(result) for result in item["O"]),
        regions,
        scope,
    )


def _value(item: Mapping[str, Any]) -> Value:
    number = int(item["%"])
    kind = item["TT"]["#"].partition(".")[2]
    if kind != "t_dtensor":
        return Value(number, "", None)
    element, sizes = item["TT"]["D"][:2]
    dtype = _ELEMENTS.get(element["#"].partition(".")[2].removeprefix("t_"), "")
    return Value(number, dtype, tuple(None if size < 0 else int(size) for size in sizes))


def shortest(value: float) -> float:
    """The number a person wrote, where Paddle kept it as a 32-bit float (0.2 for 0.20000000298…)."""
    single = np.float32(value) if abs(value) < np.finfo(np.float32).max else None
    return float(str(single)) if single is not None and float(single) == value else value


def _attribute(item: Mapping[str, Any]) -> Any:
    """An attribute's value: a number, text, a list of these, or the name of an element type."""
    kind = item["#"].partition(".")[2].removeprefix("a_")
    if kind == "array":
        return [_attribute(element) for element in item["D"]]
    if kind in ("f32", "f64", "float", "double"):
        return _SPECIAL[item["VD"]] if "VD" in item else shortest(float(item["D"]))
    if kind in ("i32", "i64", "index"):
        return int(item["D"])
    return item.get("D")


def _check_numbers(program: Program, place: str) -> None:
    """Every value is made once and before it is used."""
    known = {0}

    def make(value: Value, where: str) -> None:
        if value.number in known:
            raise InvalidSource(f"Expected each value once. Received the value {value.number} twice.", place=where)
        known.add(value.number)

    for value in [p.value for p in program.parameters] + list(program.inputs.values()):
        make(value, place)
    for operator in program.operators:
        where = f"{place}, {operator.label}"
        for number in _used(operator):
            if number not in known:
                raise InvalidSource(f"Expected a value made before. Received the value {number}.", place=where)
        for value in operator.outputs:
            make(value, where)
    for name, number in program.outputs.items():
        if number not in known:
            raise InvalidSource(
                f"Expected a value that an operator makes. Received {number}.", place=f"{place}, {name}"
            )
    names = [parameter.name for parameter in program.parameters]
    if len(set(names)) != len(names):
        raise InvalidSource("Expected each parameter's name once. Received one twice.", place=place)


def _used(operator: Operator) -> Iterator[int]:
    """The values an operator takes from outside, its regions included."""
    yield from operator.inputs
    for region in operator.regions:
        inside: set[int] = set()
        for inner in region:
            yield from (number for number in _used(inner) if number not in inside)
            inside.update(value.number for value in inner.outputs)
