"""The tree of modules: statements of one module of the source become its own forward method, and a call of it."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from interlingua.codegen.chains import is_stuck
from interlingua.codegen.dimensions import Dimensions
from interlingua.codegen.lifting import lifted
from interlingua.codegen.owners import owned, owners
from interlingua.codegen.program import Layer, Program, Tensor
from interlingua.codegen.steps import MARK, Flow, Step, flow_of, rename, values_read
from interlingua.codegen.ties import Ties
from interlingua.records import records

_OWNED = f"{MARK}@"
_SMALL = 2
"""So many statements without weights are no module of their own."""


@dataclasses.dataclass
class Module:
    """A module: what its forward method is given and gives, its steps, and what it owns by dotted name inside it.

    A child that is None is one that other modules of the class have. Where it is variadic, the last of its inputs
    is the list of all further arguments.
    """

    path: str
    kind: str
    inputs: list[str]
    outputs: list[str]
    steps: list[Step]
    children: dict[str, Child] = dataclasses.field(default_factory=dict)
    variadic: bool = False

    def become(self, form: Module) -> None:
        """Takes the form that another module or a pattern gave it."""
        for field in dataclasses.fields(Module):
            setattr(self, field.name, getattr(form, field.name))

    def copied(self, known: dict[int, Module]) -> Module:
        """The module and those inside with lists of their own; `known` are those that are copied already."""
        if id(self) not in known:
            children = {
                path: child.copied(known) if isinstance(child, Module) else child
                for path, child in self.children.items()
            }
            known[id(self)] = dataclasses.replace(self, steps=[*self.steps], children=children)
        return known[id(self)]

    def everything(self) -> Iterator[Module]:
        """The modules inside, innermost first, then this one."""
        for child in self.children.values():
            if isinstance(child, Module):
                yield from child.everything()
        yield self


Child = Module | Layer | Tensor | None


@dataclasses.dataclass
class Tree:
    """The whole model as modules; `paths` are those of its layers and tensors by their flat names.

    `hints` are the variables and `axes` the sizes of values.
    """

    root: Module
    paths: dict[str, str]
    hints: dict[str, str]
    axes: dict[str, tuple[int | str | None, ...]]


def attribute_of(path: str) -> ast.expr:
    """`self.layers[0].conv1` for a dotted path inside the module."""
    expression: ast.expr = ast.Name("self", ast.Load())
    for part in path.split("."):
        if part.isidentifier():
            expression = ast.Attribute(expression, part, ast.Load())
        else:
            key = ast.Constant(int(part) if part.isdigit() else part)
            expression = ast.Subscript(expression, key, ast.Load())
    return expression


class Unstructured(Exception):
    """The modules of the source cannot be classes of their own."""


class _Owning(ast.NodeTransformer):
    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr in self._known:
            return ast.Name(f"{_OWNED}{node.attr}", ast.Load())
        return self.generic_visit(node)


class _Attributes(ast.NodeTransformer):
    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return attribute_of(self._paths[node.id]) if node.id in self._paths else node


class _Builder:
    """Makes modules of steps whose scopes are all known."""

    def __init__(self, paths: Mapping[str, str], classes: Mapping[str, str], dimensions: Dimensions) -> None:
        self._dimensions = dimensions
        self._paths = {f"{_OWNED}{attribute}": path for attribute, path in paths.items()}
        self._classes = classes
        self._leaves = set(paths.values())
        self._tokens: dict[int, str] = {}
        self._kept: list[list[ast.stmt]] = []

    def build(self, path: str, depth: int, steps: list[Step], wanted: set[str]) -> Module:
        """The module at `path` whose statements are `steps`; `wanted` are the values read outside of it."""
        while True:
            groups = self._groups(path, depth, steps)
            unfit = {key for key, calls in groups.items() if not self._fits(path, depth, key, calls, steps)}
            if not unfit:
                items, children, stuck = self._called(path, depth, steps, groups, wanted)
                unfit = set() if stuck is None else {stuck}
            if not unfit:
                break
            steps = [_without(step, depth, unfit) for step in steps]
        inside = {
            name: where[len(path) + 1 :] if path else where
            for name, where in self._paths.items()
            if not path or where.startswith(f"{path}.")
        }
        replaced = [_stated(step, inside) for step in self._dimensions.needed(items, wanted)]
        given = {name for step in replaced for name in step.writes}
        inputs = list(dict.fromkeys(name for step in replaced for name in step.reads if name not in given))
        outputs = [name for step in replaced for name in step.writes if name in wanted]
        return Module(path, self._classes.get(path, ""), inputs, outputs, replaced, children)

    def _groups(self, path: str, depth: int, steps: Sequence[Step]) -> dict[str, list[list[int]]]:
        """The calls of each module inside: positions of their steps."""
        positions: dict[str, list[int]] = {}
        for position, step in enumerate(steps):
            scopes = step.scopes or ()
            if len(scopes) > depth:
                positions.setdefault(scopes[depth], []).append(position)
        return {key: self._split(steps, found) for key, found in positions.items()}

    def _split(self, steps: Sequence[Step], positions: list[int]) -> list[list[int]]:
        """The positions by call: a module whose statements repeat is called as often."""
        tokens = [self._token(steps[position]) for position in positions]
        weighted = any(name.startswith(_OWNED) for position in positions for name in steps[position].reads)
        if weighted:
            for length in range(1, len(tokens) // 2 + 1):
                if len(tokens) % length == 0 and tokens[length:] == tokens[:-length]:
                    return [positions[start : start + length] for start in range(0, len(positions), length)]
            return [positions]
        runs: list[list[int]] = []
        for position in positions:
            if runs and runs[-1][-1] == position - 1:
                runs[-1].append(position)
            else:
                runs.append([position])
        return runs

    def _token(self, step: Step) -> str:
        found = self._tokens.get(id(step.tree))
        if found is None:
            found = self._tokens[id(step.tree)] = _token(step)
            self._kept.append(step.tree)
        return found

    def _fits(self, path: str, depth: int, key: str, calls: list[list[int]], steps: Sequence[Step]) -> bool:
        """Whether the module is one to call: below this one, no layer, and not too small."""
        if key in self._leaves or (path and not key.startswith(f"{path}.")):
            return False
        inside = [steps[position] for call in calls for position in call]
        if any(self._is_inside(key, name) for step in inside for name in step.reads):
            return True
        if self._is_beside_names(key):
            return False
        return min(len(call) for call in calls) > _SMALL or self._is_link(path, key)

    def _is_beside_names(self, key: str) -> bool:
        """Whether the module has a number for a name and its siblings have names, as a parametrization's parts do."""
        parent, _, last = key.rpartition(".")
        inside = (leaf[len(parent) + 1 :] for leaf in self._leaves if leaf.startswith(f"{parent}."))
        return last.isdigit() and not all(each.partition(".")[0].isdigit() for each in inside)

    def _is_link(self, path: str, key: str) -> bool:
        """Whether the module stands in a chain of numbered ones, or of named ones that the source calls in order."""
        name, kind = key[len(path) + 1 :], self._classes.get(path, "")
        return (name.isdigit() and kind not in ("", "ModuleList")) or ("." not in name and kind == "Sequential")

    def _is_inside(self, path: str, name: str) -> bool:
        return name in self._paths and self._paths[name].startswith(f"{path}.")

    def _called(
        self, path: str, depth: int, steps: list[Step], groups: Mapping[str, list[list[int]]], wanted: set[str]
    ) -> tuple[list[Step], dict[str, Child], str | None]:
        """The steps with a call in place of each group, and the modules; or a module that cannot be called."""
        owner = {position: (key, number) for key, calls in groups.items() for number, call in enumerate(calls)
                 for position in call}  # fmt: skip
        readers: dict[str, set[tuple[str, int]]] = {}
        for position, step in enumerate(steps):
            for name in step.reads:
                readers.setdefault(name, set()).add(owner.get(position, ("", position)))
        children: dict[str, Child] = {}
        start = len(path) + 1 if path else 0
        items: list[tuple[int, str, Step]] = [
            (position, "", step) for position, step in enumerate(steps) if position not in owner
        ]
        for key, calls in groups.items():
            first: Module | None = None
            for number, call in enumerate(calls):
                inside = self._dimensions.inside([steps[position] for position in call], depth)
                given = {name for step in inside for name in step.writes}
                outer = {n for n in given if n in wanted or readers.get(n, set()) - {(key, number)}}
                made = self.build(key, depth + 1, inside, outer)
                if (first is not None and not same(first, made)) or is_stuck(made):
                    return [], {}, key
                first = first or made
                items.append((call[0], key, self._call(key, made, steps[call[0]])))
            assert first is not None
            children[key[start:]] = first
        order, stuck = _ordered(items)
        if stuck:
            spread = {key for key, calls in groups.items() if any(c[-1] - c[0] >= len(c) for c in calls)}
            return [], {}, min(stuck & spread or stuck)
        return order, children, None

    def _call(self, key: str, module: Module, first: Step) -> Step:
        """`results = module(arguments)`."""
        arguments: list[ast.expr] = [ast.Name(name, ast.Load()) for name in module.inputs]
        value = ast.Call(ast.Name(f"{_OWNED}{key}", ast.Load()), arguments, [])
        self._paths[f"{_OWNED}{key}"] = key
        targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in module.outputs]
        whole = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
        tree: list[ast.stmt] = [ast.Assign([whole], value, lineno=0)] if targets else []
        reads = (f"{_OWNED}{key}", *module.inputs)
        return Step(tree, reads, tuple(module.outputs), first.scopes, first.node, first.comment)


def _ordered(items: list[tuple[int, str, Step]]) -> tuple[list[Step], set[str]]:
    """The steps, each behind what it reads, else in their order; the modules of those that wait for each other."""
    left = sorted(items, key=lambda item: item[0])
    unmade = {name for _, _, step in left for name in step.writes}
    order: list[Step] = []
    while left:
        ready = next((item for item in left if not (unmade - {*item[2].writes}) & {*item[2].reads}), None)
        if ready is None:
            return [], {key for _, key, _ in left if key}
        left.remove(ready)
        unmade -= {*ready[2].writes}
        order.append(ready[2])
    return order, set()


def _without(step: Step, depth: int, keys: set[str]) -> Step:
    """The step as one of the module around those of `keys`."""
    scopes = step.scopes or ()
    if len(scopes) <= depth or scopes[depth] not in keys:
        return step
    return dataclasses.replace(step, scopes=(*scopes[:depth], *scopes[depth + 1 :]))


def _stated(step: Step, inside: Mapping[str, str]) -> Step:
    """The step with `self.path` in place of what the module owns."""
    if not any(name in inside for name in step.reads):
        return step
    tree = [_Attributes(inside).visit(copy.deepcopy(each)) for each in step.tree]
    return dataclasses.replace(step, tree=tree, reads=values_read(tree))


def _token(step: Step) -> str:
    """What a step says, whatever its values are; what the model owns stays."""
    names = {name: MARK for name in (*step.reads, *step.writes) if not name.startswith(_OWNED)}
    return "\n".join(ast.dump(rename(each, names)) for each in step.tree)


def canonical(module: Module) -> Module:
    """The module with values numbered in their order: inputs first."""
    names: dict[str, str] = {}
    for name in [*module.inputs, *(name for step in module.steps for name in step.writes)]:
        names.setdefault(name, f"{MARK}{len(names)}")
    return dataclasses.replace(
        module,
        inputs=[names[name] for name in module.inputs],
        outputs=[names[name] for name in module.outputs],
        steps=[step.renamed(names) for step in module.steps],
    )


def same(first: Module, second: Module) -> bool:
    """Whether two calls of a module compute the same of their arguments."""
    one, other = canonical(first), canonical(second)
    if (one.inputs, one.outputs, len(one.steps)) != (other.inputs, other.outputs, len(other.steps)):
        return False
    trees = ([ast.dump(each) for step in module.steps for each in step.tree] for module in (one, other))
    return next(trees) == next(trees)


def tree_of(
    program: Program,
    classes: Mapping[str, str],
    scopes: Callable[[Step], tuple[str, ...] | None],
    buffers: frozenset[str] = frozenset(),
    ties: Ties | None = None,
    found: Mapping[int, str] | None = None,
) -> Tree:
    """The program as a tree of modules. `scopes` tells the modules around a step, `classes` the modules' classes.

    `found` are modules that the source does not tell of, by the numbers of their steps.
    """
    flow = flow_of(program)
    for position, step in enumerate(flow.steps):
        step.scopes = scopes(step) if found is None else (found[position],) if position in found else ()
    flow.steps = lifted(flow.steps)
    paths = owners(program, flow.steps, buffers, ties, told=found is None)
    _complete(flow, guessed=not any(classes))
    steps = [_owning(step, paths) for step in flow.steps]
    root = _Builder(paths, classes, Dimensions(flow)).build("", 0, steps, set(flow.outputs))
    root.inputs, root.outputs = flow.inputs, flow.outputs
    held: dict[str, Layer | Tensor] = {layer.attribute: layer for layer in program.layers}
    held |= {tensor.attribute: tensor for tensor in program.tensors}
    layers = {f"{paths[layer.attribute]}.{key}" for layer in program.layers for key in layer.weights}
    for attribute, path in paths.items():
        if path not in layers:
            _hold(root, path, held[attribute])
    return Tree(root, paths, flow.hints, flow.axes)


def _hold(module: Module, path: str, item: Layer | Tensor) -> None:
    """Gives a layer or tensor to the innermost module that its path is in."""
    for name, child in module.children.items():
        if isinstance(child, Module) and path.startswith(f"{name}."):
            _hold(child, path[len(name) + 1 :], item)
            return
    module.children[path] = item


def _owning(step: Step, paths: Mapping[str, str]) -> Step:
    """The step with a value of its own kind for each layer and tensor."""
    if not any(name in paths for tree in step.tree for name in owned(tree)):
        return step
    tree = [_Owning(paths).visit(copy.deepcopy(each)) for each in step.tree]
    return dataclasses.replace(step, tree=tree, reads=values_read(tree))


def _follow(steps: Sequence[Step], makers: Mapping[str, Step]) -> None:
    """Places sums and activations of which nobody said the module with the last that makes their operands."""
    order = {id(step): position for position, step in enumerate(steps)}
    for step in steps:
        described = records().get(step.node.op_type) if step.node is not None else None
        if step.scopes is None and described is not None and described.family in ("activation", "elementwise"):
            made = [makers[name] for name in step.reads if name in makers]
            step.scopes = max(made, key=lambda each: order[id(each)]).scopes if made else None


def _complete(flow: Flow, *, guessed: bool) -> None:
    """Places the steps of which nobody said the module: with the layers they call, else with those they feed."""
    if all(step.scopes is None for step in flow.steps):
        for step in flow.steps:
            step.scopes = ()
    makers = {name: step for step in flow.steps for name in step.writes}
    if guessed:
        _follow(flow.steps, makers)
    for step in reversed(flow.steps):
        if step.scopes is None:
            readers = [each.scopes for each in flow.steps if each.scopes is not None and {*each.reads} & {*step.writes}]
            makes = [makers[name].scopes for name in step.reads if name in makers]
            step.scopes = _common([*readers, *(each for each in makes if each is not None)])


def _common(groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    shared: list[str] = []
    for scopes in zip(*groups, strict=False):
        if len(set(scopes)) > 1:
            break
        shared.append(scopes[0])
    return tuple(shared)
