"""Chains of layers that stand in several places, as classes: `class ConvNormActivation(nn.Sequential)`."""

from __future__ import annotations

import ast
import collections
import contextlib
import copy
import enum
from collections.abc import Callable, Iterator, Sequence

from interlingua.codegen.arguments import Argument, Settled, settled
from interlingua.codegen.chains import is_named, is_sequential
from interlingua.codegen.constructs import Constructs, is_plain
from interlingua.codegen.expressions import call, parse
from interlingua.codegen.source import lines
from interlingua.codegen.structure import Module
from interlingua.codegen.unify import Different, Unifier

_LEAST = 3
_HEAD = 5
"""So many lines a class of a chain has beside the layers: its two headers, and what stands between classes."""
_ACTIVATION = "activation"


class Chains(enum.Enum):
    """Which chains are classes: those that the source has a class for too, those that are shorter so, or none."""

    NAMED = enum.auto()
    SHORTER = enum.auto()
    NONE = enum.auto()


class Sequences:
    """Finds the chains of a tree that are classes."""

    def __init__(self, root: Module, constructs: Constructs, chains: Chains) -> None:
        self._constructs = constructs
        self._chains = chains
        self._places = {id(module): place for module, place in _places(root, root, "")}

    def due(
        self, groups: Sequence[Sequence[Module]], chains: Sequence[Module], kind: Callable[[Module], str]
    ) -> list[list[list[Module]]]:
        """The chains that may be one class by the group of modules (in order of their classes) that needs them first.

        They are of one `kind` and made of the same groups, so that none is made of a class that comes later.
        """
        whole = (module for group in groups for module in group)
        layers = {id(each) for each in whole if is_plain(each) and self._constructs.layer_form(each.steps[0])}
        places = {id(module): place for place, group in enumerate(groups) for module in group}
        known = {id(chain) for chain in chains}
        alike: dict[tuple[str, int, frozenset[int]], list[Module]] = {}
        for chain in chains:
            inside = [id(each) for each in chain.everything()]
            depth = sum(each in known for each in inside)
            made_of = frozenset(places[each] for each in inside if each in places and each not in layers)
            alike.setdefault((kind(chain), depth, made_of), []).append(chain)
        first: dict[int, int] = {}
        for place, group in enumerate(groups):
            for each in (each for module in group for each in module.everything()):
                first.setdefault(id(each), place)
        found: list[list[list[Module]]] = [[] for _ in groups]
        for _, members in sorted(alike.items(), key=lambda item: item[0][1]):
            found[min(first[id(each)] for each in members)].append(members)
        return found

    def classes(self, modules: Sequence[Module]) -> list[tuple[list[Module], Settled]]:
        """The chains among the modules that make one class each, and what these have in common."""
        clusters: list[list[Module]] = []
        for module in modules if self._chains is not Chains.NONE else ():
            fitting = next((each for each in clusters if self._common([each[0], module]) is not None), None)
            if fitting is None:
                clusters.append([module])
            else:
                fitting.append(module)
        found = ((cluster, self._settled(cluster)) for cluster in clusters if len(cluster) >= _LEAST)
        return [(cluster, made) for cluster, made in found if made is not None and self._is_shorter(cluster, made)]

    def _common(self, modules: Sequence[Module]) -> tuple[Unifier, list[ast.stmt]] | None:
        """The arguments and the row of a class; of which activations they are made is an argument where need be."""
        for marked in (False, True):
            unifier = Unifier(self._constructs.signature, given=False)
            rows: list[list[ast.stmt]] = []
            for module in modules:
                chain = self._constructs.made(module)
                made = self._marked(chain) if marked else chain
                rows.append([ast.Assign([ast.Name("_", ast.Store())], made, lineno=0)])
            with contextlib.suppress(Different):
                return unifier, unifier.rows(rows)
        return None

    def _marked(self, chain: ast.expr) -> ast.expr:
        """The chain with the classes of activations said as if they were arguments of one function."""
        made = copy.deepcopy(chain)
        for layer in made.args if isinstance(made, ast.Call) else ():
            kind = ast.unparse(layer.func) if isinstance(layer, ast.Call) else ""
            if isinstance(layer, ast.Call) and self._constructs.is_activation(kind):
                layer.func = ast.Name(_ACTIVATION, ast.Load())
                layer.keywords.append(ast.keyword(_ACTIVATION, ast.Constant(kind)))
        return made

    def _settled(self, modules: Sequence[Module]) -> Settled | None:
        common = self._common(modules)
        made = None if common is None else settled(common[0].holes, common[1], [], self._constructs.spelling.words)
        if made is None:
            return None
        row = _Unmarking().visit(made.rows[0])
        start = ast.Expr(call("super().__init__", row.value.args))
        arguments = [_of_activation(each) if each.name.startswith(_ACTIVATION) else each for each in made.arguments]
        arguments.sort(key=lambda argument: argument.default is not None)
        return Settled(arguments, [start], [])

    def _is_shorter(self, modules: Sequence[Module], made: Settled) -> bool:
        """Whether the class and its instances are fewer lines than the chains, or the source has the class too.

        The places are counted where the chains stand in classes of the source; equal chains in a row are one.
        """
        texts = [ast.dump(self._constructs.made(module)) for module in modules]
        places = [self._places[id(module)] for module in modules]
        rows = {(kind, path.rstrip("0123456789"), text) for (kind, path), text in zip(places, texts, strict=True)}
        first = {place: module for module, place in reversed([*zip(modules, places, strict=True)])}
        count = min(len(first), len(rows))
        if count < _LEAST or (self._chains is Chains.NAMED and is_named(modules[0])):
            return count >= _LEAST
        size = sum(lines(ast.fix_missing_locations(self._constructs.made(each))) for each in first.values())
        return size * count // len(first) - count > _HEAD + lines(ast.fix_missing_locations(made.rows[0]))


def _of_activation(argument: Argument) -> Argument:
    """The argument with layers for their names, and what most have as its default."""
    kinds = [str(each.value) for each in argument.values if isinstance(each, ast.Constant)]
    (usual, _), *_ = collections.Counter(kinds).most_common(1)
    return Argument(argument.name, [parse(each) for each in kinds], parse(usual))


class _Unmarking(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) != _ACTIVATION:
            return node
        kind = node.keywords.pop().value
        node.func = parse(str(kind.value)) if isinstance(kind, ast.Constant) else kind
        return node


def _places(module: Module, owner: Module, before: str) -> Iterator[tuple[Module, tuple[str, str]]]:
    """The chains inside with where they stand: the class that owns them, and their path inside it."""
    for path, child in module.children.items():
        if isinstance(child, Module):
            whole = f"{before}.{path}" if before else path
            chained = is_sequential(child)
            if chained:
                yield child, (owner.kind or owner.path, whole)
            yield from _places(child, owner if chained else child, whole if chained else "")
