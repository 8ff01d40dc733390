"""A program as the classes of its source: one for each kind of module, and the model that is made of them."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import onnx_ir as ir

from interlingua.codegen.blocks import Block, Blocks
from interlingua.codegen.chains import is_numbered, is_sequential
from interlingua.codegen.collected import collected
from interlingua.codegen.constructs import Constructs, Spelling
from interlingua.codegen.dataflow import Dataflow
from interlingua.codegen.dialect import Dialect
from interlingua.codegen.expressions import call, name
from interlingua.codegen.functions import Function, Functions
from interlingua.codegen.loops import aliases, rolled
from interlingua.codegen.naming import FEATURES, Told, locals_of, method
from interlingua.codegen.owners import owned, places
from interlingua.codegen.patterns import Repeats
from interlingua.codegen.program import Program
from interlingua.codegen.repeats import shortened
from interlingua.codegen.sequences import Chains
from interlingua.codegen.series import Calls, Ends
from interlingua.codegen.signature import SIGNATURE, lists_of, variadic_of
from interlingua.codegen.source import Item, Line, Suite, class_header, code, function_header, size
from interlingua.codegen.steps import Step
from interlingua.codegen.structure import Module, attribute_of, tree_of
from interlingua.codegen.ties import Ties
from interlingua.codegen.unbound import unbound
from interlingua.codegen.weights import Weight
from interlingua.ir import metadata
from interlingua.ir.scopes import classes_of, modules_of, ties_of
from interlingua.names import Identifiers
from interlingua.records import records


@dataclasses.dataclass(frozen=True)
class Modules:
    """The classes as code, the imports they need, and the path of each layer and tensor by its flat name.

    `ties` are the further names of tied parameters, each with the name under which the file of weights has it;
    `rows` are the outputs that the model gives as one list, in its place: `return x, *caches`.
    """

    items: list[Item]
    imports: set[str]
    paths: dict[str, str]
    ties: dict[str, str]
    rows: list[list[str]]

    def weights(self, program: Program) -> dict[str, Weight]:
        """Every weight by the name the state dict gives it."""
        found = {
            f"{self.paths[layer.attribute]}.{key}": w for layer in program.layers for key, w in layer.weights.items()
        }
        return found | {self.paths[tensor.attribute]: tensor.weight for tensor in program.tensors}


def has_modules(model: ir.Model) -> bool:
    """Whether the source told of modules inside its model, at least by the names of its weights."""
    if any(path for path in classes_of(model)):
        return True
    names = (value.name or "" for value in model.graph.initializers.values())
    return sum(name.endswith(".weight") and name.count(".") > 1 for name in names) > 1


def has_state(model: ir.Model) -> bool:
    """Whether the source's state is known, and bears the names that weights come from.

    A file of ONNX does not tell of a state; a chain of conversions tells the names of its first source. The state of a
    module with a signature, and nothing but constants in its graph, is known to be empty.
    """
    values = model.graph.initializers.values()
    if SIGNATURE in model.metadata_props and all(metadata.is_constant(value) for value in values):
        return True
    kept = (value for value in values if metadata.role(value) in ("parameter", "frozen"))
    return any(str(metadata.origin(value)) == value.name for value in kept)


def modules_code(
    model: ir.Model,
    program: Program,
    dialect: Dialect,
    spelling: Spelling,
    last: Callable[[Mapping[str, str]], list[ast.stmt]],
    found: Repeats | None = None,
) -> Modules:
    """The program as classes of modules; `last` are statements at the end of the model's constructor.

    `found` are modules that were found in a program whose source does not tell of any.
    """
    classes = classes_of(model) if found is None else found.classes
    around = places(program)

    def scopes(step: Step) -> tuple[str, ...] | None:
        said = None if step.node is None else modules_of(step.node, classes)
        if said is not None:
            return said
        told = {around[name] for tree in step.tree for name in owned(tree) if name in around}
        return told.pop() if len(told) == 1 else None

    buffers = frozenset(
        value.name or "" for value in model.graph.initializers.values() if metadata.role(value) == "buffer"
    )
    known = Ties(ties_of(model))
    tree = tree_of(program, classes, scopes, buffers, known, None if found is None else found.paths)
    hints = {*tree.hints.values()}
    named = dict(zip(tree.root.inputs, program.inputs, strict=True))
    ports = {port.name: value for value, port in named.items()}
    lists = {name: [ports[each] for each in members] for name, members in lists_of(model, program).items()}
    words = {value: port.identifier for value, port in named.items()}
    ends = Ends(words, tuple(tree.root.outputs), lists, variadic_of(model))
    calls, functions = Calls(ends), Functions(program.name)
    for module in tree.root.everything():
        if not is_sequential(module):
            before = [*module.inputs], [*module.outputs]
            found_lists = calls.adapted(module)
            module.steps = unbound(module.steps, module.outputs, spelling.slices)
            module.steps = collected(Dataflow(module.steps, module.outputs, tree.axes), _sizes(module), hints)
            calls.changed(module, *before, found_lists | rolled(module, _sizes(module), ends))
            functions.share(module)
    ties = {path_of(other, tree.paths): path_of(first, tree.paths) for other, first in program.ties().items()}
    ties = {other: first for other, first in ties.items() if other != first}
    names = _names(program, tree.paths)
    pairs = [*ties.items(), *known.missing(names, {module.path for module in tree.root.everything()})]
    rows = [*_tied(pairs, names), *last(tree.paths)]
    items, imports = _shortest(program, tree.root, dialect, spelling, rows, ends, functions.all)
    results = dict(zip(ends.outputs, (port.name for port in program.outputs), strict=True))
    spread = [[results[each] for each in members] for members in calls.rows(tree.root)]
    return Modules(items, imports, tree.paths, ties | _spread(pairs, names), spread)


def _shortest(
    program: Program,
    root: Module,
    dialect: Dialect,
    spelling: Spelling,
    last: Sequence[ast.stmt],
    ends: Ends,
    functions: Sequence[Function],
) -> tuple[list[Item], set[str]]:
    """The classes and what they import, with classes of chains where these make the whole shorter."""
    found: list[tuple[list[Item], set[str]]] = []
    for chains in Chains:
        constructs = Constructs(dialect, spelling)
        top = root.copied({})
        reserved = {*dialect.reserved, *(row.short for row in dialect.abbreviations), program.name, *program.helpers}
        reserved |= {function.name for function in functions}
        blocks = Blocks(top, constructs, Identifiers(reserved), chains)
        classes = {block.name for block in blocks.blocks}
        writer = _Writer(dialect, spelling, reserved | classes, constructs, ends)
        whole = [ast.Expr(constructs.made(top))] if is_numbered(top) else blocks.rows(top)
        used = _used(blocks.blocks, whole)
        items: list[Item] = [writer.function(function) for function in functions]
        items += [writer.block(block) for block in blocks.blocks if block.name in used]
        found.append(([*items, writer.root(program, top, whole, last)], constructs.imports))
        if not any(block.chain for block in blocks.blocks):
            break
    return min(found, key=lambda each: sum(map(size, each[0])))


def _used(blocks: Sequence[Block], rows: Sequence[ast.stmt]) -> set[str]:
    """The classes that the rows make, and those that these are made of: a layer may say what a small class did."""
    found = _named(rows)
    for block in reversed(blocks):
        if block.name in found:
            found |= _named(block.rows) | {n for a in block.arguments for value in a.values for n in _named([value])}
    return found


def _named(trees: Sequence[ast.AST]) -> set[str]:
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _sizes(module: Module) -> dict[str, int]:
    """The lengths of the lists of layers that the module owns, by dotted name."""
    found: dict[str, set[str]] = {}
    for path in module.children:
        parts = path.split(".")
        for index in range(1, len(parts)):
            if parts[index].isdigit():
                found.setdefault(".".join(parts[:index]), set()).add(parts[index])
    return {path: len(numbers) for path, numbers in found.items() if str(len(numbers) - 1) in numbers}


class _Writer:
    def __init__(
        self,
        dialect: Dialect,
        spelling: Spelling,
        reserved: set[str],
        constructs: Constructs,
        ends: Ends,
    ) -> None:
        self._dialect = dialect
        self._spelling = spelling
        self._reserved = reserved
        self._constructs = constructs
        self._ends = ends
        self._arguments: dict[str, list[str]] = {}
        self._results: dict[str, list[str]] = {}

    def _told(self, module: Module, inputs: Mapping[str, str]) -> Told:
        """What names in the module's method come from; `inputs` are the model's among its own."""
        by_text: dict[str, str] = {}
        for path, child in module.children.items():
            made = self._constructs.instances.get(id(child))
            if isinstance(made, ast.Call):
                by_text[ast.unparse(attribute_of(path))] = ast.unparse(made.func)
        matches = ((re.fullmatch(r"self\.(.+)\[\d+\]", text), made) for text, made in by_text.items())
        lists = {match[1]: made for match, made in matches if match}
        classes = {single: lists[name] for name, single in aliases(list(lists)).items()} | by_text

        def of(named: Mapping[str, list[str]]) -> Callable[[ast.Call], Sequence[str]]:
            return lambda call: named.get(classes.get(ast.unparse(call.func), ""), ())

        return Told(of(self._arguments), of(self._results), inputs, self._spelling.words)

    def block(self, block: Block) -> Suite:
        """A class of modules."""
        arguments = [
            a.name if a.default is None else f"{a.name}={ast.unparse(ast.fix_missing_locations(a.default))}"
            for a in block.arguments
        ]
        if block.chain:
            return self._chain(block.name, arguments, block.rows)
        given = dict(zip(block.inputs, block.example.inputs, strict=True))
        listed = {block.inputs[-1]: FEATURES} if block.variadic else {}
        inputs = {name: called for name, value in given.items() if (called := self._ends.called(value))}
        told = self._told(block.example, inputs)
        forward = self._forward(block.inputs, block.steps, block.outputs, listed, told, variadic=block.variadic)
        self._arguments[block.name] = self._named[:-1] if block.variadic else self._named
        self._results[block.name] = self._given
        return self._class(block.name, self._spelling.base, arguments, block.rows, forward, _place(block.example))

    def function(self, function: Function) -> Suite:
        """A function of the file."""
        told = Told(lambda call: (), lambda call: (), {}, self._spelling.words)
        made = self._forward(function.inputs, function.steps, function.outputs, function.names, told)
        signature = ", ".join(self._named)
        return dataclasses.replace(
            made, header=function_header(function.name, signature), docstring=_lines_of(function.steps)
        )

    def root(self, program: Program, root: Module, made: Sequence[ast.stmt], last: Sequence[ast.stmt]) -> Suite:
        """The model's own class; `made` are its rows, or the one expression of a list of layers."""
        given = {value: self._ends.called(value) for value in root.inputs}
        told = self._told(root, {})
        variadic = bool(root.inputs) and given[root.inputs[-1]] == self._ends.variadic
        spread = {value for value in root.outputs if value not in self._ends.outputs}
        forward = self._forward(root.inputs, root.steps, root.outputs, given, told, variadic=variadic, spread=spread)
        if not is_numbered(root):
            return self._class(program.name, self._spelling.base, [], [*made, *last], forward, _place(root))
        whole = made[0].value if isinstance(made[0], ast.Expr) else None
        assert isinstance(whole, ast.Call)
        start = ast.Expr(call("super().__init__", whole.args))
        suite = self._chain(program.name, [], [start, *last])
        return dataclasses.replace(suite, body=[*suite.body, forward])

    def _chain(self, title: str, arguments: Sequence[str], rows: Sequence[ast.stmt]) -> Suite:
        """The class of a chain of layers."""
        made = function_header("__init__", ", ".join(["self", *arguments]))
        body = [Line(shortened(row, self._spelling)) for row in rows]
        return Suite(class_header(title, self._spelling.sequential), [Suite(made, body)])

    def _class(
        self, title: str, base: str, arguments: Sequence[str], rows: Sequence[ast.stmt], forward: Suite, place: str
    ) -> Suite:
        body: list[Item] = [
            *code("super().__init__()"),
            *(Line(shortened(row, self._spelling)) for row in rows),
        ]
        made = Suite(function_header("__init__", ", ".join(["self", *arguments])), body)
        return Suite(class_header(title, base), [made, forward] if rows else [forward], place)

    def _forward(
        self,
        inputs: Sequence[str],
        steps: Sequence[Step],
        outputs: Sequence[str],
        given: Mapping[str, str],
        told: Told,
        *,
        variadic: bool = False,
        spread: Collection[str] = (),
    ) -> Suite:
        """`forward`; `variadic` is its last argument, lists of `spread` are given as what is in them."""
        taken = Identifiers(self._reserved | locals_of(steps))
        found = method(inputs, steps, outputs, given=given, nests=self._nests, taken=taken, told=told)
        self._named, self._given = found.arguments, found.told
        body: list[Item] = [Line(tree, comment) for tree, comment in found.body]
        final = found.body[-1][0] if found.body else None
        pairs = zip(outputs, found.returned, strict=True)
        returned = [f"*{said}" if value in spread else said for value, said in pairs]
        whole = f"({', '.join(returned)},)" if spread else ", ".join(returned)
        if isinstance(final, ast.Assign) and len(found.returned) == 1 and ast.unparse(final.targets[0]) == whole:
            body[-1] = Line(ast.Return(final.value), found.body[-1][1])
        else:
            body.append(Line(ast.Return(name(whole) if whole else None)))
        arguments = [*found.arguments[:-1], f"*{found.arguments[-1]}"] if variadic else found.arguments
        return Suite(function_header("forward", ", ".join(["self", *arguments])), body)

    def _nests(self, step: Step) -> bool:
        """Whether a person nests the step's operand in it: an activation."""
        described = records().get(step.node.op_type) if step.node is not None else None
        return described is not None and described.family in self._dialect.fuses and len(step.reads) == 1


def _place(module: Module) -> str:
    """Where the source computes what the module itself does: "resnet.py, lines 147 to 161."; empty where none told."""
    modules = {ast.unparse(attribute_of(path)) for path, child in module.children.items() if isinstance(child, Module)}
    return _lines_of([step for step in module.steps if not _calls(step, modules)])


def _lines_of(steps: Sequence[Step]) -> str:
    """Where the source says the steps: "resnet.py, lines 147 to 161."; empty where none told, or several files."""
    own = [step for step in steps if step.node is not None]
    told = [metadata.place(step.node).line.rpartition(":") for step in own if step.node is not None]
    files = {file for file, _, number in told if file and number.isdigit()}
    if len(files) != 1:
        return ""
    numbers = [int(number) for file, _, number in told if file and number.isdigit()]
    first, last = min(numbers), max(numbers)
    return f"{files.pop()}, line {first}." if first == last else f"{files.pop()}, lines {first} to {last}."


def _calls(step: Step, functions: set[str]) -> bool:
    """Whether the step is a loop, or calls one of these."""
    nodes = [node for tree in step.tree for node in ast.walk(tree)]
    return any(
        isinstance(node, ast.For) or (isinstance(node, ast.Call) and ast.unparse(node.func) in functions)
        for node in nodes
    )


def _tied(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> list[ast.stmt]:
    """`self.decoder.weight = self.encoder.weight`; what a list does not have yet is put behind the others."""
    ends: dict[str, int] = {}
    rows: list[ast.stmt] = []
    for new, old in pairs:
        parent, _, last = new.rpartition(".")
        inside = [name[len(parent) + 1 :].partition(".")[0] for name in names if name.startswith(f"{parent}.")]
        ends.setdefault(parent, 1 + max((int(each) for each in inside if each.isdigit()), default=-1))
        if last == str(ends[parent]):
            ends[parent] += 1
            append = ast.Attribute(attribute_of(parent), "append", ast.Load())
            rows.append(ast.Expr(call(append, [attribute_of(old)])))
            continue
        target = attribute_of(new)
        target.ctx = ast.Store()  # type: ignore[attr-defined]
        rows.append(ast.Assign([target], attribute_of(old), lineno=0))
    return rows


def _names(program: Program, paths: Mapping[str, str]) -> list[str]:
    """The names of all weights of the modules, once each."""
    found = [f"{paths[layer.attribute]}.{key}" for layer in program.layers for key in layer.weights]
    return list(dict.fromkeys([*found, *(paths[tensor.attribute] for tensor in program.tensors)]))


def _spread(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The ties of parameters that ties of whole modules make."""
    return {
        f"{new}{name[len(old) :]}": name
        for new, old in pairs
        for name in names
        if name == old or name.startswith(f"{old}.")
    }


def path_of(flat: str, paths: Mapping[str, str]) -> str:
    """The path of a weight in the tree, by its name in the flat program."""
    if flat in paths:
        return paths[flat]
    layer, _, key = flat.rpartition(".")
    return f"{paths[layer]}.{key}"
