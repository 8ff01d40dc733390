"""Rows of layers that are equal or go on arithmetically, said once: `*(Block(256, 64) for _ in range(5))`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from interlingua.codegen.constructs import Spelling
from interlingua.codegen.expressions import call
from interlingua.codegen.progressions import LETTERS, Common, Unlike, evenly, filled, spelled

_MANY = 3
_MORE = 4
"""So many numbers go on evenly by no chance."""


def shortened(row: ast.stmt, spelling: Spelling) -> ast.stmt:
    """Replaces `nn.ModuleList([Block(), Block(), Block()])` by `nn.ModuleList([Block() for _ in range(3)])`.

    Numbers may go on arithmetically: `Layer(64)`, `Layer(96)`, `Layer(128)` are `Layer(64 + 32 * i)`.
    """
    return _Shortening(spelling).visit(copy.deepcopy(row))  # type: ignore[no-any-return]


def added(rows: Sequence[ast.stmt], spelling: Spelling) -> list[ast.stmt]:
    """Replaces rows `self.layer1 = Layer(64)` that go on by a loop that adds `Layer(64 + 32 * i)` under their names."""
    found: list[ast.stmt] = []
    position = 0
    rows = list(rows)
    while position < len(rows):
        pairs = []
        for row in rows[position:]:
            target = row.targets[0] if isinstance(row, ast.Assign) else None
            if not isinstance(row, ast.Assign) or not isinstance(target, ast.Attribute):
                break
            pairs.append(ast.Tuple([ast.Constant(target.attr), row.value], ast.Load()))
        count, item, letter = _longest(pairs, len(pairs))
        if not count or not isinstance(item, ast.Tuple):
            found.append(rows[position])
            position += 1
            continue
        body: list[ast.stmt] = [ast.Expr(call(spelling.adding, item.elts))]
        found.append(ast.For(ast.Name(letter, ast.Store()), _range(count), body, [], lineno=0))
        position += count
    return found


class _Shortening(ast.NodeTransformer):
    def __init__(self, spelling: Spelling) -> None:
        self._lists = {spelling.listed, spelling.parameters, "OrderedDict"}
        self._sequences = {spelling.sequential, "super().__init__"}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = ast.unparse(node.func)
        if function in self._sequences:
            node.args = _runs(node.args)
        elif function in self._lists and len(node.args) == 1 and isinstance(node.args[0], ast.List):
            items = _runs(node.args[0].elts)
            run = items[0].value if len(items) == 1 and isinstance(items[0], ast.Starred) else None
            alone = ast.ListComp(run.elt, run.generators) if isinstance(run, ast.GeneratorExp) else None
            node.args = [alone or ast.List(items, ast.Load())]
        return node


def _runs(items: Sequence[ast.expr]) -> list[ast.expr]:
    found: list[ast.expr] = []
    position = 0
    while position < len(items):
        count, item, letter = _longest(items[position:], len(items))
        if not count:
            found.append(items[position])
            position += 1
            continue
        turns = ast.comprehension(ast.Name(letter, ast.Store()), _range(count), [], 0)
        found.append(ast.Starred(ast.GeneratorExp(item, [turns]), ast.Load()))
        position += count
    return found


def _range(count: int) -> ast.expr:
    return call("range", [count])


def _longest(items: Sequence[ast.expr], whole: int) -> tuple[int, ast.expr, str]:
    """How many items from the first on go on alike, what they are by their number, and the number's name.

    None go on where they are too few for their numbers to tell, and not the `whole` row.
    """
    if len(items) < _MANY or isinstance(items[0], ast.Starred):
        return 0, ast.Constant(None), ""
    known = {node.id for item in items for node in ast.walk(item) if isinstance(node, ast.Name)}
    letter = next(each for each in LETTERS if each not in known)
    count, found = 0, items[0]
    for length in range(_MANY, len(items) + 1):
        made = _going_on(items[:length], letter)
        if made is None:
            break
        count, found = length, made
    used = any(isinstance(node, ast.Name) and node.id == letter for node in ast.walk(found))
    least = _MORE if used and count < whole else _MANY
    return (count if count >= least else 0), found, letter if used else "_"


def _going_on(items: Sequence[ast.expr], letter: str) -> ast.expr | None:
    """What the layers are by their number: `Layer(64 + 32 * i)`; None where their numbers do not rise evenly."""
    common = Common()
    try:
        tree = common.tree(items)
    except Unlike:
        return None
    values: dict[int, ast.expr] = {}
    for column in common.columns:
        found = evenly(column.values, (len(items),))
        if found is None or found[0] < 0 or found[1][0] < 0:
            return None
        values[id(column.mark)] = spelled(found[0], [(found[1][0], letter)])
    return filled(tree, values)  # type: ignore[return-value]
