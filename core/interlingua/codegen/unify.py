"""The common form of several pieces of code: what differs becomes an argument.

`nn.Conv2d(64, 64, 3)` and `nn.Conv2d(128, 128, 3)` are both `nn.Conv2d(‹0›, ‹0›, 3)` with 64 and 128 for ‹0›.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence

_HOLE = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
WILD = object()
"""The value of an argument where an instance has no use for it."""


class Different(Exception):
    """Two pieces of code have no common form."""


@dataclasses.dataclass(frozen=True)
class Signature:
    """An API's parameters that are given by position, in order, and the defaults of all that have one."""

    positional: tuple[str, ...] = ()
    defaults: Mapping[str, ast.expr] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Role:
    """Where an argument is used: the attribute it is for, the API it is given to and its name there."""

    attribute: str
    api: str
    name: str
    forward: bool = False


@dataclasses.dataclass
class Hole:
    """An argument: its value in each instance, and where it is used."""

    values: list[ast.expr | object]
    roles: list[Role] = dataclasses.field(default_factory=list)

    def fits(self, other: Hole) -> bool:
        """Whether one of the two can stand for both."""
        pairs = zip(self.values, other.values, strict=True)
        return all(left is WILD or right is WILD or text(left) == text(right) for left, right in pairs)

    @property
    def whole(self) -> bool:
        """Whether every instance has a value."""
        return all(value is not WILD for value in self.values)


def text(value: ast.expr | object) -> str:
    """The value as text, to compare."""
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def hole_index(node: ast.AST) -> int | None:
    """Which argument a name stands for; None where it is a name of the code."""
    return int(node.id[1:]) if isinstance(node, ast.Name) and node.id.startswith(_HOLE) else None


def is_literal(node: ast.AST) -> bool:
    """Whether it is a number, a text, a truth value, None, or a tuple or list of such."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Tuple | ast.List):
        return all(is_literal(each) for each in node.elts)
    return isinstance(node, ast.Constant)


class Unifier:
    """Finds the common form of pieces of several instances; `holes` are the arguments found so far.

    With `optional`, a layer that some instances lack is made or not as a flag says; else it is an argument itself.
    Without `given`, layers are no arguments: what the instances make has a common form, or they have none.
    """

    def __init__(
        self, signature: Callable[[str], Signature | None], *, optional: bool = True, given: bool = True
    ) -> None:
        self._signature = signature
        self._optionally = optional
        self._given = given
        self.holes: list[Hole] = []
        self._role: Role | None = None

    def rows(self, groups: Sequence[Sequence[ast.stmt]], *, forward: bool = False) -> list[ast.stmt]:
        """The common form of lists of statements.

        Raises:
            Different: they have none.
        """
        if len({len(group) for group in groups}) != 1:
            raise Different
        found = []
        for statements in zip(*groups, strict=True):
            self._role = Role(_attribute(statements[0]), "", "", forward)
            found.append(self._statement(statements))
        return found

    def _statement(self, statements: Sequence[ast.stmt]) -> ast.stmt:
        first = statements[0]
        made = self._role is not None and not self._role.forward and isinstance(first, ast.Assign)
        if not made:
            return self._same(statements)  # type: ignore[return-value]
        if any(not isinstance(each, ast.Assign) or _target(each) != _target(first) for each in statements):
            raise Different
        values = [each.value for each in statements]  # type: ignore[attr-defined]
        assert isinstance(first, ast.Assign)
        return ast.Assign(copy.deepcopy(first.targets), self._construct(values), lineno=0)

    def _construct(self, values: list[ast.expr]) -> ast.expr:
        """The common form of what a name is given; where there is none, the whole is an argument."""
        absent = [isinstance(value, ast.Constant) and value.value is None for value in values]
        before, role = [list(hole.roles) for hole in self.holes], self._role
        try:
            if any(absent) and not all(absent):
                if not self._optionally:
                    raise Different
                return self._optional(values, absent)
            return self._same(values)  # type: ignore[return-value]
        except Different:
            self._role = role
            del self.holes[len(before) :]
            for hole, roles in zip(self.holes, before, strict=True):
                hole.roles = roles
            if not self._given:
                raise
            if any(isinstance(each, ast.Name) for value in values for each in ast.walk(value) if _is_value(each)):
                raise
            return self._hole(values)

    def _optional(self, values: list[ast.expr], absent: list[bool]) -> ast.expr:
        """`layer if flag else None`, where all that the layer needs is an argument anyway; decided by `settle`."""
        there = [value for value, missing in zip(values, absent, strict=True) if not missing]
        inner = Unifier(self._signature, given=self._given)
        inner._role = self._role
        body = inner._same(there)
        numbers: dict[int, ast.expr] = {}
        for index, hole in enumerate(inner.holes):
            given = iter(hole.values)
            spread = [WILD if missing else next(given) for missing in absent]
            numbers[index] = self._hole(spread, hole.roles)
        flag = self._hole([ast.Constant(not missing) for missing in absent], [Role(self._attribute, "", "flag")])
        return ast.IfExp(flag, _filled(body, numbers), ast.Constant(None))  # type: ignore[arg-type]

    @property
    def _attribute(self) -> str:
        return self._role.attribute if self._role else ""

    def _same(self, nodes: Sequence[ast.AST]) -> ast.AST:
        first = nodes[0]
        if all(isinstance(each, ast.AST) for each in nodes) and len({ast.dump(each) for each in nodes}) == 1:
            return copy.deepcopy(first)
        if all(isinstance(each, ast.expr) and is_literal(each) for each in nodes):
            return self._literals(nodes)  # type: ignore[arg-type]
        if len({type(each) for each in nodes}) != 1:
            raise Different
        if isinstance(first, ast.Call):
            return self._calls(nodes)  # type: ignore[arg-type]
        if isinstance(first, ast.Name | ast.Constant):
            raise Different
        if isinstance(first, ast.Attribute) and len({each.attr for each in nodes}) != 1:  # type: ignore[attr-defined]
            raise Different
        return self._fields(nodes)

    def _fields(self, nodes: Sequence[ast.AST]) -> ast.AST:
        found = copy.copy(nodes[0])
        for field in nodes[0]._fields:
            values = [getattr(each, field, None) for each in nodes]
            setattr(found, field, self._field(values))
        return found

    def _field(self, values: list[object]) -> object:
        if all(isinstance(value, list) for value in values):
            groups: list[list[ast.AST]] = values  # type: ignore[assignment]
            if len({len(group) for group in groups}) != 1:
                raise Different
            return [self._same(each) for each in zip(*groups, strict=True)]
        if all(isinstance(value, ast.AST) for value in values):
            return self._same(values)  # type: ignore[arg-type]
        if len({repr(value) for value in values}) != 1:
            raise Different
        return values[0]

    def _literals(self, nodes: Sequence[ast.expr]) -> ast.expr:
        sizes = {len(each.elts) if isinstance(each, ast.Tuple | ast.List) else -1 for each in nodes}
        if len(sizes) == 1 and -1 not in sizes and len({type(each) for each in nodes}) == 1:
            return self._fields(nodes)  # type: ignore[return-value]
        return self._hole(list(nodes))

    def _calls(self, calls: Sequence[ast.Call]) -> ast.Call:
        function = self._same([call.func for call in calls])
        assert isinstance(function, ast.expr)
        api = ast.unparse(function)
        signature = self._signature(api)
        given = [_arguments(call, signature) for call in calls]
        names: dict[str | int, None] = {}
        for arguments in given:
            names.update(dict.fromkeys(arguments))
        positional: list[ast.expr] = []
        keywords: list[ast.keyword] = []
        outer = self._role
        for name in names:
            values = []
            for arguments in given:
                value = arguments.get(name, signature.defaults.get(str(name)) if signature else None)
                if value is None:
                    raise Different
                values.append(value)
            self._role = Role(self._attribute, api, str(name), outer.forward if outer else False)
            said = self._same(values)
            assert isinstance(said, ast.expr)
            value = said
            by_position = isinstance(name, int) or all(_is_positional(call, name, signature) for call in calls)
            if by_position:
                positional.append(value)
            else:
                keywords.append(ast.keyword(str(name), value))
        self._role = outer
        return ast.Call(function, positional, keywords)

    def _hole(self, values: Sequence[ast.expr | object], roles: Sequence[Role] = ()) -> ast.expr:
        """The argument that has these values: one that there is already, if it always has the same."""
        made = Hole(list(values), list(roles) or ([self._role] if self._role else []))
        for index, hole in enumerate(self.holes):
            if hole.whole and made.whole and hole.fits(made):
                hole.roles += made.roles
                return hole_name(index)
        self.holes.append(made)
        return hole_name(len(self.holes) - 1)


def hole_name(index: int) -> ast.expr:
    """The name that stands for an argument until it has one."""
    return ast.Name(f"{_HOLE}{index}", ast.Load())


class _Filling(ast.NodeTransformer):
    def __init__(self, values: Mapping[int, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        index = hole_index(node)
        return copy.deepcopy(self._values[index]) if index is not None and index in self._values else node


def _filled(tree: ast.AST, values: Mapping[int, ast.expr]) -> ast.AST:
    return _Filling(values).visit(copy.deepcopy(tree))  # type: ignore[no-any-return]


def filled(tree: ast.stmt, values: Mapping[int, ast.expr]) -> ast.stmt:
    """A copy of the statement with expressions in place of arguments."""
    return _Filling(values).visit(copy.deepcopy(tree))  # type: ignore[no-any-return]


def _is_value(node: ast.AST) -> bool:
    from interlingua.codegen.steps import is_value

    return isinstance(node, ast.Name) and is_value(node.id)


def _target(statement: ast.stmt) -> str:
    return ast.dump(statement.targets[0]) if isinstance(statement, ast.Assign) else ""


def _attribute(statement: ast.stmt) -> str:
    """What a statement makes or calls: `conv1` of `self.conv1 = …` and of `self.conv1(x)`."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
        return statement.targets[0].attr
    if isinstance(statement, ast.For):
        return "layers"
    for node in ast.walk(statement):
        if named_by(node):
            return named_by(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            return node.attr
    return ""


def named_by(node: ast.AST) -> str:
    """What `self.register("name", …)`, a method of the module that is given a name first, is about; else nothing."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return ""
    first, base = node.args[0], node.func.value
    value = first.value if isinstance(first, ast.Constant) else None
    return value if isinstance(value, str) and isinstance(base, ast.Name) and base.id == "self" else ""


def _arguments(call: ast.Call, signature: Signature | None) -> dict[str | int, ast.expr]:
    """A call's arguments by name, or by position where the name is not known."""
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        raise Different
    names = signature.positional if signature else ()
    found: dict[str | int, ast.expr] = {
        names[index] if index < len(names) else index: value for index, value in enumerate(call.args)
    }
    return found | {str(each.arg): each.value for each in call.keywords}


def _is_positional(call: ast.Call, name: str | int, signature: Signature | None) -> bool:
    return signature is not None and name in signature.positional[: len(call.args)]
