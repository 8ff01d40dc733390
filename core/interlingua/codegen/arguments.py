"""Arguments of a class: their names, defaults and order, and what of them follows from others."""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Mapping, Sequence

from interlingua.codegen.derived import derived
from interlingua.codegen.expressions import assign, name
from interlingua.codegen.sizes import HEADS, meanings
from interlingua.codegen.steps import Step, values_read
from interlingua.codegen.unify import Hole, Role, filled, hole_index, named_by, text
from interlingua.codegen.words import Words
from interlingua.names import Identifiers

_GENERAL = ("size", "height", "width", "length")
"""Names of sizes that tell little: another argument's may be the same."""


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a class: its name, its value in each instance, its default or None."""

    name: str
    values: list[ast.expr]
    default: ast.expr | None = None


@dataclasses.dataclass(frozen=True)
class Settled:
    """A class whose arguments have names."""

    arguments: list[Argument]
    rows: list[ast.stmt]
    steps: list[Step]


def settled(holes: Sequence[Hole], rows: Sequence[ast.stmt], steps: Sequence[Step], words: Words) -> Settled | None:
    """The rows and steps with named arguments; None where an optional layer needs one that the others lack."""
    meant: dict[int, int] = {}
    whole = [index for index, hole in enumerate(holes) if hole.whole]
    for index, hole in enumerate(holes):
        if not hole.whole:
            found = next((each for each in whole if holes[each].fits(hole) and not _is_flag(holes[each])), None)
            if found is None:
                return None
            meant[index] = found
    known = meanings(rows, steps, lambda index: _is_width(holes[index], words), words)
    widths = {index for index in whole if _is_width(holes[index], words)}
    sizes = {index for index in whole if index not in widths and _is_size(holes[index])}
    heads = {index for index, said in known.items() if said == HEADS}
    follows = derived(holes, whole, widths, sizes, heads, steps, _paddings(holes, whole, words))
    free = [index for index in whole if index not in follows]
    used = {
        base
        for step in steps
        for tree in step.tree
        for node in ast.walk(tree)
        if (each := hole_index(node)) is not None
        for base in (follows[each].needs if each in follows else {each})
    }
    owned = {_owned(node) for row in rows for node in ast.walk(row)}
    bases = {each.base for index, each in follows.items() if index in widths}
    names = _names(holes, free, [index for index in free if index in widths], bases, used, owned, known, words)
    inner: dict[int, ast.expr] = {index: name(names[index]) for index in free}
    outer: dict[int, ast.expr] = {index: name(f"self.{names[index]}") for index in free}
    for table in (inner, outer):
        table.update({index: each.said(table) for index, each in follows.items()})
        table.update({index: table[other] for index, other in meant.items()})
    kept: list[ast.stmt] = [assign([f"self.{names[index]}"], name(names[index])) for index in free if index in used]
    order = sorted(free, key=lambda index: index not in widths)
    arguments = [Argument(names[i], _values(holes[i]), _default(names[i], holes[i], words)) for i in order]
    arguments.sort(key=lambda argument: argument.default is not None)
    said = [dataclasses.replace(step, tree=[filled(tree, outer) for tree in step.tree]) for step in steps]
    said = [dataclasses.replace(step, reads=values_read(step.tree)) for step in said]
    return Settled(arguments, [*kept, *(filled(row, inner) for row in rows)], said)


def _values(hole: Hole) -> list[ast.expr]:
    return [value for value in hole.values if isinstance(value, ast.expr)]


def _paddings(holes: Sequence[Hole], whole: Sequence[int], words: Words) -> dict[int, int]:
    """The arguments that are paddings alone, with the one that is the size of the same layers' kernels."""
    layers = {index: tuple(role.attribute for role in holes[index].roles) for index in whole}
    kernels = {layers[index]: index for index in whole if {*_role_names(holes[index])} == {words.kernel}}
    paddings = (index for index in whole if {*_role_names(holes[index])} == {words.padding})
    return {index: kernels[layers[index]] for index in paddings if layers[index] in kernels}


def _is_flag(hole: Hole) -> bool:
    return any(role.name == "flag" for role in hole.roles)


def _is_width(hole: Hole, words: Words) -> bool:
    return any(role.name in words.widths for role in hole.roles)


def _is_size(hole: Hole) -> bool:
    """Whether it is a size in reshapes alone."""
    return all(role.forward and not role.name.isidentifier() for role in hole.roles)


def _owned(node: ast.AST) -> str:
    """The name that `self.name = …`, or a method that is given the name, makes the module's own."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr
    return named_by(node)


def _names(
    holes: Sequence[Hole],
    free: Sequence[int],
    widths: Sequence[int],
    bases: set[int],
    kept: set[int],
    owned: set[str],
    known: Mapping[int, str],
    words: Words,
) -> dict[int, str]:
    """The arguments' names; those that the class keeps have none of its layers and weights."""
    taken = Identifiers({"self"})
    found: dict[int, str] = {}
    for index in free:
        if index in widths:
            hint = _width(holes, widths, index, index in bases, words)
        else:
            hint = _hint(holes[index].roles, known.get(index, ""), words)
        attribute = holes[index].roles[0].attribute
        if index in kept and hint in owned:
            hint = f"{attribute}_{hint}" if attribute else f"{hint}_value"
        elif hint in taken and attribute and hint not in _GENERAL:
            hint = f"{attribute}_{hint}"
        found[index] = taken.take(hint, hint)
    return found


def _width(holes: Sequence[Hole], widths: Sequence[int], index: int, is_base: bool, words: Words) -> str:
    """`in_channels` for what the first layer takes, `out_channels` for what the last gives, `channels` between."""
    roles = [role.name for role in holes[index].roles if role.name in words.widths]
    unit = (
        "channels" if any("channels" in role for index in widths for role in _role_names(holes[index])) else "features"
    )
    if len(widths) == 1:
        return unit
    if roles[0] in words.inputs and index == widths[0]:
        return f"in_{unit}"
    gives = index == widths[-1] and not is_base and any(role in words.outputs for role in roles)
    return f"out_{unit}" if gives else unit


def _role_names(hole: Hole) -> list[str]:
    return [role.name for role in hole.roles]


def _hint(roles: Sequence[Role], known: str, words: Words) -> str:
    """The name that a layer has for the argument, else what is `known` of its use, else one of what it is for."""
    first = roles[0]
    if first.name in ("flag", ""):
        return first.attribute or "option"
    if first.api == "range":
        return f"num_{first.attribute}" if first.attribute else "count"
    named = [role for role in roles if role.name.isidentifier()]
    given = next((role.name for role in named if not role.forward), known)
    if given or named:
        return given or named[0].name
    if first.forward and first.api.rpartition(".")[2] in words.turns:
        return "axis"
    return "size" if first.forward else f"{first.attribute}_size".strip("_")


def _default(argument: str, hole: Hole, words: Words) -> ast.expr | None:
    """What most instances have, where it is what a person would leave out."""
    if _is_flag(hole):
        return ast.Constant(False)
    counts = collections.Counter(map(text, hole.values))
    value = next(each for each in _values(hole) if text(each) == counts.most_common(1)[0][0])
    if all(isinstance(each, ast.Constant) and isinstance(each.value, bool) for each in _values(hole)):
        return value  # given by name, where it tells something
    if any(isinstance(each, ast.Constant) and each.value is None for each in _values(hole)):
        return ast.Constant(None)
    usual = next((v for key, v in words.usual.items() if argument.endswith(key)), None)
    if isinstance(value, ast.Constant) and usual is not None and value.value == usual:
        return value
    return None
