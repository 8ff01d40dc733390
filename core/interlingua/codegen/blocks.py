"""Classes of modules: those alike but for numbers, sizes or a layer that some lack become one, with arguments."""

from __future__ import annotations

import ast
import dataclasses
import functools
import graphlib
import itertools
import re
from collections.abc import Mapping, Sequence

from interlingua.codegen.arguments import Argument, Settled, settled
from interlingua.codegen.chains import is_named, is_sequential
from interlingua.codegen.constructs import Constructs
from interlingua.codegen.expressions import call, parse
from interlingua.codegen.growing import goes_through_children, grown
from interlingua.codegen.optional import merged
from interlingua.codegen.repeats import added, shortened
from interlingua.codegen.sequences import Chains, Sequences
from interlingua.codegen.source import lines
from interlingua.codegen.steps import Step
from interlingua.codegen.structure import Child, Module, canonical
from interlingua.codegen.unify import Different, Signature, Unifier
from interlingua.codegen.variadic import gathered
from interlingua.names import Identifiers

_HEAD = 6
"""So many lines a class has beside those of its layers and statements."""


@dataclasses.dataclass
class Block:
    """A class: its arguments, the rows of its constructor, and its forward method in single-assignment form.

    `example` is one of the modules it stands for, for the names of values. A `chain` has no forward method of its own.
    """

    name: str
    arguments: list[Argument]
    rows: list[ast.stmt]
    inputs: list[str]
    outputs: list[str]
    steps: list[Step]
    example: Module
    variadic: bool
    chain: bool = False


class Blocks:
    """The classes of a tree, those that others are made of first; the root's is not among them.

    `chains` are those that are classes too.
    """

    def __init__(self, root: Module, constructs: Constructs, taken: Identifiers, chains: Chains) -> None:
        self._constructs = constructs
        self._names = taken
        self._children = parse(constructs.spelling.children)
        self.blocks: list[Block] = []
        modules = list({id(module): module for module in root.everything() if module is not root}.values())
        sequences = Sequences(root, constructs, chains)
        groups = _ordered([module for module in modules if not is_sequential(module)])
        due = sequences.due([*groups, [root]], [module for module in modules if is_sequential(module)], _kind)
        for group, before in zip([*groups, []], due, strict=True):
            for members, made in (found for each in before for found in sequences.classes(each)):
                self._add(members, made)
            for module in group:
                module.become(grown(module, self._class_of, self._children))
            for cluster in self._clusters(group):
                form, made = self._settled(cluster)
                self._add(cluster, made, form)
        root.become(grown(root, self._class_of, self._children))

    def _class_of(self, child: Child) -> str:
        """The name of the class that the child is an instance of."""
        made = self._constructs.instances.get(id(child))
        return ast.unparse(made.func) if isinstance(made, ast.Call) else ""

    def rows(self, module: Module) -> list[ast.stmt]:
        """The rows of the module's constructor."""
        rows = self._constructs.rows(module)
        is_looped = goes_through_children(module.steps, self._children)
        return added(rows, self._constructs.spelling) if is_looped else rows

    def _clusters(self, group: Sequence[Module]) -> list[list[Module]]:
        """The modules by what they have in common, those that differ by an optional layer together.

        Those that differ by whole layers are one class, which is given them, where that is shorter than a class each.
        """
        own = functools.partial(self._alike, given=False)
        clusters: list[list[Module]] = []
        for module in group:
            fitting = next((each for each in clusters if own(each[0], module)), None)
            if fitting is None:
                clusters.append([module])
            else:
                fitting.append(module)
        clusters = merged(gathered(clusters, own), own)
        return merged(self._joined(clusters), self._alike)

    def _joined(self, clusters: Sequence[list[Module]]) -> list[list[Module]]:
        found: list[list[Module]] = []
        for cluster in clusters:
            for index, other in enumerate(found):
                if self._alike(other[0], cluster[0]) and self._is_shorter([*other, *cluster], other, cluster):
                    found[index] = [*other, *cluster]
                    break
            else:
                found.append(cluster)
        return found

    def _is_shorter(self, whole: Sequence[Module], *parts: Sequence[Module]) -> bool:
        try:
            return self._length(whole) < sum(map(self._length, parts))
        except Different:
            return False

    def _length(self, modules: Sequence[Module]) -> int:
        """About how many lines a class of the modules and their making are."""
        return self._size(self._settled(modules)[1], len(modules))

    def _size(self, found: Settled, count: int) -> int:
        spelling = self._constructs.spelling
        rows = [shortened(row, spelling) for row in found.rows]
        rows += [tree for step in found.steps for tree in step.tree]
        made = [_instance("_", found.arguments, index) for index in range(count)]
        return _HEAD + sum(lines(ast.fix_missing_locations(each)) for each in [*rows, *made])

    def _alike(self, first: Module, second: Module, *, given: bool = True) -> bool:
        for short in (False, True):
            try:
                self._common([first, second], given=given, short=short)
            except Different:
                continue
            return True
        return False

    def _common(
        self, modules: Sequence[Module], *, optional: bool = True, given: bool = True, short: bool = False
    ) -> tuple[Unifier, Module, list[ast.stmt]]:
        """The arguments, the forward method and the rows that the modules have in common.

        With `short`, rows of layers are said as repetitions first: lists of unlike length may have that in common.

        Raises:
            Different: they have none.
        """
        if len({(len(each.inputs), len(each.outputs), len(each.steps)) for each in modules}) != 1:
            raise Different
        forms = [canonical(module) for module in modules]
        if len({(tuple(form.inputs), tuple(form.outputs), form.variadic, len(form.steps)) for form in forms}) != 1:
            raise Different
        made = [self.rows(form) for form in forms]
        if short:
            long, made = made, [[shortened(row, self._constructs.spelling) for row in rows] for rows in made]
            if list(map(_dumped, long)) == list(map(_dumped, made)):
                raise Different
        unifier = Unifier(self._constructs.signature, optional=optional, given=given)
        rows = unifier.rows(made)
        steps = []
        for group in zip(*(form.steps for form in forms), strict=True):
            tree = unifier.rows([step.tree for step in group], forward=True)
            steps.append(dataclasses.replace(group[0], tree=tree))
        return unifier, dataclasses.replace(forms[0], steps=steps), rows

    def _settled(self, modules: Sequence[Module]) -> tuple[Module, Settled]:
        """The common form of the modules, and its arguments.

        Raises:
            Different: they have none.
        """
        for given, optional in itertools.product((False, True), (True, False)):
            found: list[tuple[Module, Settled]] = []
            for short in (False, True):
                try:
                    unifier, form, rows = self._common(modules, optional=optional, given=given, short=short)
                except Different:
                    continue
                made = settled(unifier.holes, rows, form.steps, self._constructs.spelling.words)
                found += [(form, made)] if made is not None else []
            if found:
                return min(found, key=lambda each: self._size(each[1], len(modules)))
        raise Different

    def _add(self, modules: Sequence[Module], found: Settled, form: Module | None = None) -> None:
        """Makes the class of the modules, and takes down how each of them is made; without a `form` they are chains."""
        titles = {_class_name(module) for module in modules}
        alike = form is not None or len(titles) == 1
        title = _class_name(modules[0]) if alike else self._constructs.title(modules[0])
        name = self._names.take(modules[0].path, title)
        example = form or modules[0]
        block = Block(
            name,
            found.arguments,
            found.rows,
            example.inputs,
            example.outputs,
            found.steps,
            modules[0],
            example.variadic,
            chain=form is None,
        )
        self.blocks.append(block)
        for index, module in enumerate(modules):
            self._constructs.instances[id(module)] = _instance(name, found.arguments, index)
        names = tuple(each.name for each in found.arguments if each.default is None)
        defaults = {each.name: each.default for each in found.arguments if each.default is not None}
        self._constructs.add_class(name, Signature(names, defaults))


def _dumped(rows: Sequence[ast.stmt]) -> list[str]:
    return list(map(ast.dump, rows))


def _instance(name: str, arguments: Sequence[Argument], index: int) -> ast.expr:
    """The call that makes the instance of this number."""
    positional = [each.values[index] for each in arguments if each.default is None]
    named = {
        each.name: each.values[index]
        for each in arguments
        if each.default is not None and ast.dump(each.values[index]) != ast.dump(each.default)
    }
    return call(name, positional, named)


def _ordered(modules: Sequence[Module]) -> list[list[Module]]:
    """The modules by class of the source, each behind those it is made of; a class inside itself by its height."""
    heights: dict[int, int] = {}
    inside: dict[str, set[str]] = {}
    for module in modules:
        descendants = [each for each in module.everything() if each is not module]
        heights[id(module)] = 1 + max((heights.get(id(each), 0) for each in descendants), default=0)
        inside.setdefault(_kind(module), set()).update(map(_kind, descendants))
    recursive = {kind for kind in inside if kind in _reached(kind, inside)}

    def key(module: Module) -> tuple[str, int]:
        kind = _kind(module)
        return (kind, heights[id(module)]) if kind in recursive else (kind, 0)

    groups: dict[tuple[str, int], list[Module]] = {}
    for module in modules:
        groups.setdefault(key(module), []).append(module)
    known = {id(module) for module in modules}
    sorter: graphlib.TopologicalSorter[tuple[str, int]] = graphlib.TopologicalSorter()
    for name, group in groups.items():
        needed = {key(e) for module in group for e in module.everything() if e is not module and id(e) in known}
        sorter.add(name, *sorted(needed, key=list(groups).index))
    return [groups[name] for name in sorter.static_order()]


def _reached(kind: str, inside: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    work = [kind]
    while work:
        for each in inside.get(work.pop(), ()):
            if each not in found:
                found.add(each)
                work.append(each)
    return found


def _kind(module: Module) -> str:
    """The class of the source; where it is not known, the last names of the path without numbers."""
    return module.kind or _class_name(module)


def _class_name(module: Module) -> str:
    """The source's class, or a name made of the path: `layers.0.attention` is `Attention`, `blocks.3` is `Block`."""
    if is_named(module):
        return module.kind
    parts = [part for part in module.path.split(".") if not part.isdigit()]
    words = re.split(r"[^A-Za-z0-9]+", parts[-1] if parts else "block")
    name = "".join(word[:1].upper() + word[1:] for word in words if word).rstrip("0123456789") or "Block"
    listed = module.path.rpartition(".")[2].isdigit()
    return name[:-1] if listed and name.endswith("s") and len(name) > 2 else name
