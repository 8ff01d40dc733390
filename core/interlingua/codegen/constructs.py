"""How what a module owns is made: `nn.Linear(4, 6)`, `nn.Sequential(…)`, `nn.ModuleList(…)`, a class of our own."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from interlingua import cards
from interlingua.cards import REQUIRED, Kind
from interlingua.codegen.chains import is_numbered
from interlingua.codegen.dialect import Dialect
from interlingua.codegen.expressions import assign, call, literal
from interlingua.codegen.lowering import arranged, in_place
from interlingua.codegen.program import Layer, Tensor
from interlingua.codegen.steps import Step
from interlingua.codegen.structure import Module, Unstructured, attribute_of
from interlingua.codegen.unify import Signature
from interlingua.codegen.words import Words
from interlingua.errors import InterlinguaError, Unsupported
from interlingua.ir.facts import facts_of
from interlingua.records import records

Child = Module | Layer | Tensor | None
_SHORT = {"convolution": "Conv", "normalization": "Norm"}
"""What families of layers are called in names of chains."""


@dataclasses.dataclass(frozen=True)
class Spelling:
    """A framework's containers, and how it says a tensor: `tensor` makes the statement, `parameter` the expression.

    `ordering` is the import of the `OrderedDict` in which a chain of named layers is given; `children` are a module's
    own layers in their order, `adding` gives it one by name, `slices` is the method that takes a value apart,
    and `words` are those of names.
    """

    base: str
    sequential: str
    listed: str
    mapped: str
    parameters: str
    nothing: str
    ordering: str
    children: str
    adding: str
    slices: str
    words: Words
    tensor: Callable[[str, Tensor], ast.stmt]
    parameter: Callable[[Tensor], ast.expr]


class Constructs:
    """The expressions that make layers, containers and modules; `instances` are those of classes, by module."""

    def __init__(self, dialect: Dialect, spelling: Spelling) -> None:
        self._dialect = dialect
        self.spelling = spelling
        self.instances: dict[int, ast.expr] = {}
        self.imports: set[str] = set()
        self._signatures: dict[str, Signature] = {}
        self._families: dict[str, str] = {}
        for card in cards.cards(dialect.framework):
            self._learn(card)

    def _learn(self, card: cards.Card) -> None:
        parameters = list(card.parameters.values())
        tensors = [] if card.kind is Kind.LAYER else [slot.name for slot in card.inputs.values()]
        positional = (*tensors, *(parameter.name for parameter in parameters if parameter.positional))
        defaults: dict[str, ast.expr] = {}
        given = [(p.name, p.default) for p in parameters] + [(n, fixed.default) for n, fixed in card.fixed.items()]
        for name, default in given:
            if default is not REQUIRED:
                try:
                    defaults[name] = literal(default)
                except Unsupported:
                    continue
        for name in card.names():
            try:
                short, _ = self._dialect.spell(name)
            except InterlinguaError:
                continue
            self._signatures.setdefault(short, Signature(positional, defaults))
            described = records().get(card.record)
            if card.kind is Kind.LAYER and described is not None:
                fused = described.family in self._dialect.fuses
                self._families[short] = described.family if fused else self._families.get(short, described.family)

    def signature(self, api: str) -> Signature | None:
        """The positional parameters and defaults of an API or class."""
        return self._signatures.get(api)

    def is_activation(self, api: str) -> bool:
        """Whether an API is a layer that computes an activation."""
        return self._families.get(api, "") in self._dialect.fuses

    def title(self, chain: Module) -> str:
        """A name for a chain of layers by what they are: `ConvNormActivation`."""
        made = self.made(chain)
        layers = [ast.unparse(each.func) for each in ast.walk(made) if isinstance(each, ast.Call)]
        families = (self._families[each] for each in layers if each in self._families)
        return "".join(_SHORT.get(family, family.title()) for family in families) or "Chain"

    def add_class(self, name: str, signature: Signature) -> None:
        """Tells the signature of a class of ours."""
        self._signatures[name] = signature

    def rows(self, module: Module) -> list[ast.stmt]:
        """`self.<name> = …` for all that the module owns, in the order of its use."""
        groups: dict[str, dict[str, Child]] = {}
        for path, child in module.children.items():
            groups.setdefault(path.partition(".")[0], {})[path] = child
        found: list[ast.stmt] = []
        for name in sorted(groups, key=_order(module.steps, list(groups))):
            found += self._row(name, groups[name])
        return found

    def _row(self, name: str, children: Mapping[str, Child]) -> list[ast.stmt]:
        if not name.isidentifier():
            raise Unstructured(f"a layer named {name}")
        if name in children:
            child = children[name]
            return [self.spelling.tensor(name, child) if isinstance(child, Tensor) else _own(name, self.made(child))]
        inner = {path[len(name) + 1 :]: child for path, child in children.items()}
        if all(path.partition(".")[0].isdigit() for path in inner):
            apart: list[ast.stmt] = []
            return [_own(name, self._container(inner, attribute_of(name), apart)), *apart]
        rows = [_own(name, call(f"{self.spelling.base}"))]
        for row in self.rows(Module("", "", [], [], [], dict(inner))):
            rows.append(_under(row, name))
        return rows

    def made(self, child: Child) -> ast.expr:
        """The expression that makes a layer or module."""
        if child is None:
            return ast.Constant(None)
        if isinstance(child, Layer):
            return child.call
        if isinstance(child, Tensor):
            return self.spelling.parameter(child)
        if id(child) in self.instances:
            return self.instances[id(child)]
        return self._sequential(child)

    def _container(self, children: Mapping[str, Child], place: ast.expr, apart: list[ast.stmt]) -> ast.expr:
        """`nn.ModuleList([…])` of numbered children, `nn.ModuleDict({…})` of others.

        A dictionary of modules holds no tensor: one that stands beside them is given to it afterwards, in `apart`, by
        its `place`.
        """
        groups: dict[str, dict[str, Child]] = {}
        for path, child in children.items():
            groups.setdefault(path.partition(".")[0], {})[path] = child
        numbered = all(name.isdigit() for name in groups)
        tensors = all(isinstance(child, Tensor) for child in children.values())
        items: dict[str, ast.expr] = {}
        for name, group in groups.items():
            inner = {path[len(name) + 1 :]: child for path, child in group.items() if path != name}
            child = group.get(name)
            if not numbered and isinstance(child, Tensor):
                apart.append(_moved(self.spelling.tensor(name, child), place))
            elif name in group:
                items[name] = self.made(child)
            else:
                part = ast.Subscript(place, literal(int(name))) if numbered else ast.Attribute(place, name, ast.Load())
                items[name] = self._container(inner, part, apart)
        if not numbered:
            return call(self.spelling.mapped, [ast.Dict([literal(name) for name in items], list(items.values()))])
        if not tensors and any(isinstance(child, Tensor) for path, child in children.items() if path in groups):
            raise Unstructured(f"numbered tensors and layers together: {', '.join(groups)}")
        return call(self.spelling.parameters if tensors else self.spelling.listed, [ast.List(self._numbered(items))])

    def _numbered(self, items: Mapping[str, ast.expr]) -> list[ast.expr]:
        """The items in order, with something that does nothing for each number that is left out."""
        if not all(name.isdigit() for name in items):
            raise Unstructured(f"numbered and named layers together: {', '.join(items)}")
        last = max(int(name) for name in items)
        return [items.get(str(number), call(self.spelling.nothing)) for number in range(last + 1)]

    def _sequential(self, module: Module) -> ast.expr:
        items: dict[str, ast.expr] = {}
        for path, child in module.children.items():
            form = self.layer_form(child.steps[0]) if is_plain(child) and isinstance(child, Module) else None
            items[path] = form if form is not None else self.made(child)
        if is_numbered(module):
            return call(self.spelling.sequential, self._numbered(items))
        self.imports.add(self.spelling.ordering)
        order = sorted(items, key=_order(module.steps, list(items)))
        rows: list[ast.expr] = [ast.Tuple([literal(name), items[name]], ast.Load()) for name in order]
        return call(self.spelling.sequential, [call("OrderedDict", [ast.List(rows, ast.Load())])])

    def layer_form(self, step: Step) -> ast.expr | None:
        """The layer that does what a statement says: `nn.ReLU()` for `F.relu(x)`; None where the cards have none."""
        node = step.node
        if node is None or len(step.tree) != 1:
            return None
        try:
            facts = facts_of(node, computed=self._dialect.computes)
        except Unsupported:
            return self._same_call(step)
        for card in cards.by_record(self._dialect.framework).get(node.op_type, ()):
            if card.kind is not Kind.LAYER or card.weights or not card.inputs or facts.computed:
                continue
            try:
                positional, named = arranged(card, card.lower(facts))
            except Unsupported:
                continue
            short, statement = self._dialect.spell(card.spelled(facts.rank))
            self.imports.add(statement)
            return call(short, positional, named | in_place(card, node, self._dialect))
        return self._same_call(step)

    def _same_call(self, step: Step) -> ast.expr | None:
        """The layer of the dialect that is made with the arguments which a function is called with."""
        tree = step.tree[0]
        said = tree.value if isinstance(tree, ast.Assign) else None
        if not isinstance(said, ast.Call) or not said.args or not isinstance(said.args[0], ast.Name):
            return None
        rest = [*said.args[1:], *(keyword.value for keyword in said.keywords)]
        if any(isinstance(part, ast.Name) for each in rest for part in ast.walk(each)):
            return None
        for function, (layer, names) in self._dialect.layers.items():
            if ast.unparse(said.func) != self._dialect.spell(function)[0]:
                continue
            if all(keyword.arg in names for keyword in said.keywords) and len(said.args) - 1 <= len(names):
                short, statement = self._dialect.spell(layer)
                self.imports.add(statement)
                return ast.Call(ast.parse(short, mode="eval").body, said.args[1:], said.keywords)
        return None


def is_plain(child: Child) -> bool:
    """Whether the module owns nothing and is one statement of one value."""
    if not isinstance(child, Module) or child.children or len(child.steps) != 1:
        return False
    return len(child.inputs) == len(child.outputs) == 1 and child.steps[0].reads == tuple(child.inputs)


def _own(name: str, value: ast.expr) -> ast.stmt:
    return assign([f"self.{name}"], value)


def _under(row: ast.stmt, name: str) -> ast.stmt:
    """The row of what another attribute owns: `self.attention.weight = …`."""
    return _moved(row, attribute_of(name))


def _moved(row: ast.stmt, place: ast.expr) -> ast.stmt:
    """The row of what stands at a place, `self.layers[0]`, instead of the module itself."""

    class Deeper(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return copy.deepcopy(place) if node.id == "self" else node

    return Deeper().visit(row)  # type: ignore[no-any-return]


def _order(steps: Sequence[Step], names: Sequence[str]) -> Callable[[str], tuple[int, int]]:
    """The key that sorts attributes by their first use."""
    first: dict[str, int] = {}
    for step in steps:
        for tree in step.tree:
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                    first.setdefault(node.attr, len(first))
    return lambda name: (first.get(name, len(first)), names.index(name))
