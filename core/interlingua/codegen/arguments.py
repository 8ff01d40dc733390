"""Arguments of a class: their names, defaults and order, and what of them follows from others."""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Mapping, Sequence

from interlingua.codegen.expressions import assign, name, operator
from interlingua.codegen.steps import Step, values_read
from interlingua.codegen.unify import Hole, Role, filled, hole_index, text
from interlingua.names import Identifiers

_INPUTS = ("in_channels", "in_features", "input_size")
_OUTPUTS = ("out_channels", "out_features")
_WIDTHS = {*_INPUTS, *_OUTPUTS, "num_features", "num_channels", "normalized_shape", "embedding_dim", "hidden_size"}
_USUAL: Mapping[str, object] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
_FORMS = (ast.ListComp, ast.GeneratorExp)


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


def settled(holes: Sequence[Hole], rows: Sequence[ast.stmt], steps: Sequence[Step]) -> Settled | None:
    """The rows and steps with named arguments; None where an optional layer needs one that the others lack."""
    meant: dict[int, int] = {}
    whole = [index for index, hole in enumerate(holes) if hole.whole]
    for index, hole in enumerate(holes):
        if not hole.whole:
            found = next((each for each in whole if holes[each].fits(hole) and not _is_flag(holes[each])), None)
            if found is None:
                return None
            meant[index] = found
    derived = _derived(holes, whole)
    free = [index for index in whole if index not in derived]
    used = {
        base
        for step in steps
        for tree in step.tree
        for node in ast.walk(tree)
        if (each := hole_index(node)) is not None
        for base in [derived[each][1] if each in derived else each]
    }
    owned = {_owned(node) for row in rows for node in ast.walk(row)}
    names = _names(holes, free, {base for _, base, _ in derived.values()}, used, owned)
    inner: dict[int, ast.expr] = {index: name(names[index]) for index in free}
    outer: dict[int, ast.expr] = {index: name(f"self.{names[index]}") for index in free}
    for table in (inner, outer):
        for index, (sign, base, factor) in derived.items():
            number = ast.Constant(factor)
            table[index] = operator("*", number, table[base]) if sign == "*" else _quotient(table[base], number)
        table.update({index: table[other] for index, other in meant.items()})
    kept: list[ast.stmt] = [assign([f"self.{names[index]}"], name(names[index])) for index in free if index in used]
    order = sorted(free, key=lambda index: not _is_width(holes[index]))
    arguments = [Argument(names[i], _values(holes[i]), _default(names[i], holes[i])) for i in order]
    arguments.sort(key=lambda argument: argument.default is not None)
    said = [dataclasses.replace(step, tree=[filled(tree, outer) for tree in step.tree]) for step in steps]
    said = [dataclasses.replace(step, reads=values_read(step.tree)) for step in said]
    return Settled(arguments, [*kept, *(filled(row, inner) for row in rows)], said)


def _values(hole: Hole) -> list[ast.expr]:
    return [value for value in hole.values if isinstance(value, ast.expr)]


def _is_flag(hole: Hole) -> bool:
    return any(role.name == "flag" for role in hole.roles)


def _quotient(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.BinOp(left, ast.FloorDiv(), right)


def _numbers(hole: Hole) -> list[int] | None:
    values = [each.value if isinstance(each, ast.Constant) else None for each in hole.values]
    found = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0]
    return found if len(found) == len(values) else None


def _derived(holes: Sequence[Hole], whole: Sequence[int]) -> dict[int, tuple[str, int, int]]:
    """Widths that are always the same multiple or part of an earlier one: its sign, the other argument, the factor."""
    found: dict[int, tuple[str, int, int]] = {}
    for position, index in enumerate(whole):
        mine = _numbers(holes[index])
        if mine is None or len(set(mine)) < 2 or not _is_width(holes[index]):
            continue
        for other in whole[:position]:
            theirs = _numbers(holes[other])
            if other in found or theirs is None or not _is_width(holes[other]):
                continue
            for sign, large, small in (("*", mine, theirs), ("//", theirs, mine)):
                factor = large[0] // small[0]
                if factor > 1 and all(big == factor * little for big, little in zip(large, small, strict=True)):
                    found.setdefault(index, (sign, other, factor))
    return found


def _is_width(hole: Hole) -> bool:
    return any(role.name in _WIDTHS for role in hole.roles)


def _owned(node: ast.AST) -> str:
    """The name that `self.name = …` or `self.register_buffer("name", …)` makes the module's own."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "register_buffer":
        return ast.literal_eval(node.args[0])  # type: ignore[no-any-return]
    return ""


def _names(
    holes: Sequence[Hole], free: Sequence[int], bases: set[int], kept: set[int], owned: set[str]
) -> dict[int, str]:
    """The arguments' names; those that the class keeps have none of its layers and weights."""
    taken = Identifiers({"self"})
    widths = [index for index in free if _is_width(holes[index])]
    found: dict[int, str] = {}
    for index in free:
        hint = _width(holes, widths, index, index in bases) if index in widths else _hint(holes[index].roles)
        if hint in taken or (index in kept and hint in owned):
            role = holes[index].roles[0]
            hint = f"{role.attribute}_{hint}" if role.attribute else f"{hint}_value"
        found[index] = taken.take(hint, hint)
    return found


def _width(holes: Sequence[Hole], widths: Sequence[int], index: int, is_base: bool) -> str:
    """`in_channels` for what the first layer takes, `out_channels` for what the last gives, `channels` between."""
    roles = [role.name for role in holes[index].roles if role.name in _WIDTHS]
    unit = (
        "channels" if any("channels" in role for index in widths for role in _role_names(holes[index])) else "features"
    )
    if len(widths) == 1:
        return unit
    if roles[0] in _INPUTS and index == widths[0]:
        return f"in_{unit}"
    return f"out_{unit}" if index == widths[-1] and not is_base and any(role in _OUTPUTS for role in roles) else unit


def _role_names(hole: Hole) -> list[str]:
    return [role.name for role in hole.roles]


def _hint(roles: Sequence[Role]) -> str:
    role = roles[0]
    if role.name in ("flag", ""):
        return role.attribute or "option"
    if role.api == "range":
        return f"num_{role.attribute}" if role.attribute else "count"
    return role.name if role.name.isidentifier() else "size" if role.forward else f"{role.attribute}_size".strip("_")


def _default(argument: str, hole: Hole) -> ast.expr | None:
    """What most instances have, where it is what a person would leave out."""
    if _is_flag(hole):
        return ast.Constant(False)
    counts = collections.Counter(map(text, hole.values))
    value = next(each for each in _values(hole) if text(each) == counts.most_common(1)[0][0])
    if any(isinstance(each, ast.Constant) and each.value is None for each in _values(hole)):
        return ast.Constant(None)
    usual = next((v for key, v in _USUAL.items() if argument.endswith(key)), None)
    if isinstance(value, ast.Constant) and usual is not None and value.value == usual:
        return value
    return None
