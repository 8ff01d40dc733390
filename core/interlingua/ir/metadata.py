"""What nodes, initializers, inputs and outputs remember of their source, under keys of ours in ONNX metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from interlingua.ir.origin import Origin, OriginError, Parameter, parse

LAYER = "interlingua.layer"
MODULE = "interlingua.module"
CALLERS = "interlingua.callers"
LINE = "interlingua.line"
ORIGIN = "interlingua.origin"
PERMUTATION = "interlingua.permutation"
OWN = "interlingua.own"
DIMENSIONS = "interlingua.dimensions"
TYPE = "interlingua.type"
ROLE = "interlingua.role"
IN_PLACE = "interlingua.in_place"
KEYS = frozenset({LAYER, MODULE, CALLERS, LINE, ORIGIN, PERMUTATION, OWN, DIMENSIONS, TYPE, ROLE, IN_PLACE})


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a node stands in the source: its layer's name, its module's path, the line of source code."""

    layer: str = ""
    module: str = ""
    line: str = ""

    def __str__(self) -> str:
        named = self.layer or self.module
        return f"{named} ({self.line})" if self.line and named else named or self.line


def place(node: ir.Node) -> Place:
    """Where the node comes from; the layer is the node's own name where nothing else was said."""
    said = node.metadata_props
    return Place(said.get(LAYER, "") or node.name or "", said.get(MODULE, ""), said.get(LINE, ""))


def set_place(node: ir.Node, layer: str = "", *, module: str = "", line: str = "") -> ir.Node:
    """The node, told where it comes from; what is empty stays as it was."""
    for key, text in ((LAYER, layer), (MODULE, module), (LINE, line)):
        if text:
            node.metadata_props[key] = text
    return node


def copy_place(source: ir.Node, targets: Iterable[ir.Node]) -> None:
    """Gives `targets` all metadata of `source` that they do not have of their own, except the mark of an own op."""
    layer = place(source).layer
    for target in targets:
        target.doc_string = target.doc_string or source.doc_string
        if layer:
            target.metadata_props.setdefault(LAYER, layer)
        for key, text in source.metadata_props.items():
            if key != OWN:
                target.metadata_props.setdefault(key, text)


def origin(value: ir.Value) -> Origin:
    """The expression over source parameters that an initializer holds; itself where nothing was said."""
    text = value.metadata_props.get(ORIGIN)
    return parse(text) if text is not None else Parameter(value.name or "")


def set_origin(value: ir.Value, expression: Origin | str) -> ir.Value:
    """The initializer, told what it is; a string is the name of a source parameter."""
    value.metadata_props[ORIGIN] = str(Parameter(expression) if isinstance(expression, str) else expression)
    return value


def is_constant(value: ir.Value) -> bool:
    """Whether an initializer holds no trained parameter: a number the source's code states."""
    return value.metadata_props.get(ORIGIN, "").startswith("constant(")


def role(value: ir.Value) -> str:
    """What the source's state dict has an initializer as: "parameter", "frozen" (a parameter that asks for no
    gradient), "buffer", "non-persistent" (a buffer that no state dict holds), "" where nobody said."""
    return value.metadata_props.get(ROLE, "")


def set_role(value: ir.Value, said: str) -> ir.Value:
    """The initializer, told what the source's state dict has it as."""
    value.metadata_props[ROLE] = said
    return value


def is_state(value: ir.Value) -> bool:
    """Whether the initializer is a constant that the source's state dict holds under its name."""
    return is_constant(value) and role(value) == "buffer"


def permutation(value: ir.Value) -> tuple[int, ...] | None:
    """The transpose that turns the source's array into the model's; None if they are the same.

    It is told of graph inputs and outputs, and of initializers that bear a parameter's name in ONNX files of ours.
    """
    text = value.metadata_props.get(PERMUTATION)
    return tuple(int(axis) for axis in text.split()) if text else None


def set_permutation(value: ir.Value, order: Sequence[int]) -> None:
    """Records that the model's array is the source's one transposed by `order`; an identity is not recorded."""
    if tuple(order) == tuple(range(len(order))):
        value.metadata_props.pop(PERMUTATION, None)
    else:
        value.metadata_props[PERMUTATION] = " ".join(str(axis) for axis in order)


def is_own(node: ir.Node) -> bool:
    """Whether a Transpose is a real op of the source, not one that a frontend or pass put there for axis orders."""
    return OWN in node.metadata_props


def set_own(node: ir.Node) -> ir.Node:
    """The node, marked as a real op of the source."""
    node.metadata_props[OWN] = "1"
    return node


def dimensions(value: ir.Value) -> tuple[str, ...] | None:
    """The dimension expressions that a computed shape holds, as text (see `interlingua.ir.shapes`)."""
    text = value.metadata_props.get(DIMENSIONS)
    return tuple(json.loads(text)) if text is not None else None


def set_dimensions(value: ir.Value, expressions: Iterable[object]) -> None:
    """Records the dimension expressions that a computed shape holds."""
    value.metadata_props[DIMENSIONS] = json.dumps([str(expression) for expression in expressions])


def malformed(props: dict[str, str]) -> list[str]:
    """What is wrong with the metadata of ours among `props`, one sentence each."""
    wrong = [f"the key {key!r} is unknown" for key in props if key.startswith("interlingua.") and key not in KEYS]
    if ORIGIN in props:
        try:
            parse(props[ORIGIN])
        except OriginError as error:
            wrong.append(f"the origin {props[ORIGIN]!r} is malformed: {error}")
    if PERMUTATION in props:
        axes = props[PERMUTATION].split()
        if sorted(axes) != sorted(str(axis) for axis in range(len(axes))):
            wrong.append(f"{props[PERMUTATION]!r} is no permutation")
    return wrong
