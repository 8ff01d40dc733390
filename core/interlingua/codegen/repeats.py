"""Lists of equal layers, said once: `*(Block(256, 64) for _ in range(5))`."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Sequence

from interlingua.codegen.constructs import Spelling
from interlingua.codegen.expressions import call, name

_MANY = 3


def shortened(row: ast.stmt, spelling: Spelling) -> ast.stmt:
    """Replaces `nn.ModuleList([Block(), Block(), Block()])` by `nn.ModuleList([Block() for _ in range(3)])`."""
    return _Shortening(spelling).visit(copy.deepcopy(row))  # type: ignore[no-any-return]


class _Shortening(ast.NodeTransformer):
    def __init__(self, spelling: Spelling) -> None:
        self._lists = {spelling.listed, spelling.parameters}
        self._sequences = {spelling.sequential, "super().__init__"}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = ast.unparse(node.func)
        if function in self._sequences:
            node.args = _runs(node.args)
        elif function == "OrderedDict" and len(node.args) == 1 and isinstance(node.args[0], ast.List):
            node.args = [_counted(node.args[0])]
        elif function in self._lists and len(node.args) == 1 and isinstance(node.args[0], ast.List):
            items = _runs(node.args[0].elts)
            run = items[0].value if len(items) == 1 and isinstance(items[0], ast.Starred) else None
            alone = ast.ListComp(run.elt, run.generators) if isinstance(run, ast.GeneratorExp) else None
            node.args = [alone or ast.List(items, ast.Load())]
        return node


def _counted(rows: ast.List) -> ast.expr:
    """Replaces `[("block_0", Block()), ("block_1", Block()), …]` by `[(f"block_{i}", Block()) for i in range(12)]`."""
    pairs = [row.elts for row in rows.elts if isinstance(row, ast.Tuple)]
    names = [str(pair[0].value) for pair in pairs if isinstance(pair[0], ast.Constant)]
    stem = names[0].rstrip("0123456789") if names else ""
    first = names[0][len(stem) :] if names else ""
    expected = [f"{stem}{int(first) + index}" for index in range(len(names))] if first else []
    if len(names) < _MANY or names != expected or len({ast.dump(pair[1]) for pair in pairs}) != 1:
        return rows
    label = ast.JoinedStr([ast.Constant(stem), ast.FormattedValue(ast.Name("i", ast.Load()), -1)])
    numbers = [int(first), int(first) + len(names)] if int(first) else [len(names)]
    turns = ast.comprehension(ast.Name("i", ast.Store()), call(name("range"), numbers), [], 0)
    return ast.ListComp(ast.Tuple([label, pairs[0][1]], ast.Load()), [turns])


def _runs(items: Sequence[ast.expr]) -> list[ast.expr]:
    found: list[ast.expr] = []
    for _, group in itertools.groupby(items, key=ast.dump):
        run = list(group)
        if len(run) < _MANY:
            found += run
            continue
        turns = ast.comprehension(ast.Name("_", ast.Store()), call(name("range"), [len(run)]), [], 0)
        found.append(ast.Starred(ast.GeneratorExp(run[0], [turns]), ast.Load()))
    return found
