"""Cards: what a framework calls an op, as data read in both directions.

A record (`interlingua.records`) is a canonical op; a card says how one API of one framework spells it. The same
card is read by the backend (canonical → arguments), by the frontends of layer-like formats (arguments →
canonical), by the API-difference table, by the coverage page and by the tests. Nothing here imports a framework,
numpy or the IR.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from interlingua import extensions, plugin
from interlingua.errors import ComputedShape, PluginError, UnknownOperator, Unsupported


class _Required(enum.Enum):
    REQUIRED = "required"

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required.REQUIRED


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of one op: canonical parameters with defaults filled in, and what shapes tell.

    `values` holds ONNX's attributes, constant inputs taken as parameters (`axes`, `shape`, `min`, …) and derived
    ones (`in_channels`, `has_bias`, …); a value nobody knows is absent. `rank` is the number of spatial axes,
    `shapes` are by ONNX input or output name, None where unknown, strings for named dimensions. `constants` are
    the inputs that are weights, `computed` the parameters that the model works out while it runs.
    """

    record: str
    values: Mapping[str, Any]
    rank: int = 0
    shapes: Mapping[str, tuple[int | str | None, ...] | None] = dataclasses.field(default_factory=dict)
    constants: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Any:
        if name in self.computed:
            raise ComputedShape(f"{name} is computed by the model; only a constant can be said here")
        if name not in self.values:
            raise ComputedShape(f"{name} is not known")
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The canonical parameter's value, or `default`."""
        return self.values.get(name, default)


@dataclasses.dataclass(frozen=True)
class Adapter:
    """A named way from a canonical value to an argument and back.

    `lower(value, facts)` raises `Unsupported` where the argument cannot say the value; `read(value, facts)` gives
    the canonical value back, where `facts` holds what was read so far. `read` is None where a card's own reader
    does it. `remark` is what a person should know of the form.
    """

    name: str
    lower: Callable[[Any, Facts], Any]
    read: Callable[[Any, Facts], Any] | None
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of an API: its name there, its own default there (`REQUIRED`: none), the way to it."""

    name: str
    default: Any
    adapter: Adapter
    remark: str = ""
    positional: bool = False


@dataclasses.dataclass(frozen=True)
class Slot:
    """An input or weight of an API: its name there and its axis order ("" where it has ONNX's)."""

    name: str
    axes: str = ""
    default: Any = REQUIRED
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Fixed:
    """An argument that this card always says: `value` selects the card; `default` is the API's own default."""

    value: Any
    default: Any = REQUIRED


class Kind(enum.Enum):
    """How the API is used."""

    LAYER = "layer"  # constructed once, owns its weights, then called
    FUNCTION = "function"  # called with tensors
    METHOD = "method"  # called on its first input
    OPERATOR = "operator"  # a Python operator; the card's `operator`
    SERIAL = "serial"  # an operator of a serialised graph; read only


@dataclasses.dataclass(frozen=True)
class Card:
    """How one API spells one canonical op. `{n}` in `api` is the number of spatial axes."""

    framework: str
    record: str
    api: str
    kind: Kind
    inputs: Mapping[str, Slot]
    weights: Mapping[str, Slot]
    parameters: Mapping[str, Parameter]
    outputs: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    fixed: Mapping[str, Fixed] = dataclasses.field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    implied: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ranks: tuple[int, ...] = ()
    when: Callable[[Facts], bool] | None = None
    limits: tuple[str, ...] = ()
    traits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    versions: str = ""
    operator: str = ""
    remark: str = ""
    write: bool = True
    read: bool = True
    lower_: Callable[[Facts], dict[str, Any]] | None = None
    read_: Callable[[Mapping[str, Any], Facts], dict[str, Any]] | None = None

    def spelled(self, rank: int) -> str:
        """The API's full name for `rank` spatial axes."""
        return self.api.format(n=rank)

    def names(self) -> Iterator[str]:
        """Every full name and alias, one for each rank."""
        for name in (self.api, *self.aliases):
            for rank in self.ranks or (0,):
                yield name.format(n=rank)

    def lower(self, facts: Facts) -> dict[str, Any]:
        """Canonical parameters as the API's arguments, in the API's order, defaults left unsaid.

        Raises:
            Unsupported: the API cannot say it; every parameter it has no argument for is named.
        """
        if facts.computed:
            raise ComputedShape(
                f"{self.api} is said with constants; the model computes {', '.join(sorted(facts.computed))}"
            )
        if self.ranks and facts.rank not in self.ranks:
            raise Unsupported(f"{self.api} has no form for {facts.rank} spatial axes")
        if self.when is not None and not self.when(facts):
            limits = f" (its limits: {'; '.join(self.limits)})" if self.limits else ""
            raise Unsupported(f"{self.api} does not cover this case{limits}")
        running = [name for name in self.weights if name in facts.shapes and name not in facts.constants]
        if self.kind is Kind.LAYER and running:
            raise Unsupported(f"{self.api} owns its weights; here the model computes {', '.join(running)}")
        said = self._lower_parameters(facts) if self.lower_ is None else self.lower_(facts)
        said |= {name: fixed.value for name, fixed in self.fixed.items() if fixed.value != fixed.default}
        return said

    def _lower_parameters(self, facts: Facts) -> dict[str, Any]:
        from interlingua.records import record

        known = record(self.record).parameters
        unsaid = [
            f"{name}={value!r}"
            for name, value in facts.values.items()
            if name not in self.parameters
            and name in known
            and not known[name].derived
            and known[name].absorbed not in self.weights
            and not (value == self.implied[name] if name in self.implied else known[name].is_default(value))
        ]
        if unsaid:
            raise Unsupported(f"{self.api} cannot say {', '.join(unsaid)}")
        said: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name not in facts.values:
                continue
            value = parameter.adapter.lower(facts.values[name], facts)
            if parameter.default is REQUIRED or value != parameter.default:
                said[parameter.name] = value
        return said

    def matches(self, arguments: Mapping[str, Any]) -> bool:
        """Whether serialised `arguments` select this card (all `fixed` ones agree)."""
        return all(arguments.get(name, fixed.default) == fixed.value for name, fixed in self.fixed.items())

    def read_arguments(self, arguments: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
        """The API's arguments as canonical parameters; the API's defaults fill what is not said.

        `facts` tells what is known beforehand (rank, input shapes).

        Raises:
            Unsupported: an argument no card knows; it is never dropped.
        """
        by_name = {parameter.name for parameter in self.parameters.values()}
        unknown = arguments.keys() - by_name - self.fixed.keys() - self.ignored
        if unknown:
            raise Unsupported(f"{self.api} has an argument no card knows: {', '.join(sorted(unknown))}")
        if self.read_ is not None:
            return self.read_(arguments, facts)
        values: dict[str, Any] = dict(self.implied)
        for name, parameter in self.parameters.items():
            value = arguments.get(parameter.name, parameter.default)
            if value is REQUIRED or parameter.adapter.read is None:
                continue
            known = dataclasses.replace(facts, values={**facts.values, **values})
            values[name] = parameter.adapter.read(value, known)
        return values


_FIELDS = frozenset(field.name for field in dataclasses.fields(Card))


def _slots(given: Mapping[str, str | Slot]) -> dict[str, Slot]:
    return {name: slot if isinstance(slot, Slot) else Slot(slot) for name, slot in given.items()}


def card(
    record: str,
    api: str,
    *,
    framework: str = "",
    kind: Kind = Kind.FUNCTION,
    inputs: Mapping[str, str | Slot] | None = None,
    weights: Mapping[str, str | Slot] | None = None,
    outputs: Mapping[str, str] | None = None,
    ranks: Sequence[int] = (),
    fixed: Mapping[str, Any] | None = None,
    ignored: Sequence[str] = (),
    aliases: Sequence[str] = (),
    limits: Sequence[str] = (),
    traits: Mapping[str, str] | None = None,
    **rest: Any,
) -> Card:
    """One card as a row. Keywords that are no field of `Card` are canonical parameters (see the adapters).

    `framework` is filled in by the loader from the plugin that ships the card.
    """
    said = {name: value for name, value in rest.items() if name in _FIELDS}
    parameters = {name: value for name, value in rest.items() if name not in _FIELDS}
    wrong = [name for name, value in parameters.items() if not isinstance(value, Parameter)]
    if wrong:
        raise PluginError(f"Expected a parameter made by an adapter on the card {api}. Received {', '.join(wrong)}.")
    return Card(
        framework=framework,
        record=record,
        api=api,
        kind=kind,
        inputs=_slots(inputs or {}),
        weights=_slots(weights or {}),
        parameters=said.pop("parameters", {}) | parameters,
        outputs=dict(outputs or {}),
        ranks=tuple(ranks),
        fixed={n: v if isinstance(v, Fixed) else Fixed(v) for n, v in (fixed or {}).items()},
        ignored=frozenset(ignored),
        aliases=tuple(aliases),
        limits=tuple(limits),
        traits=dict(traits or {}),
        **said,
    )


def _modules(package: str) -> Iterator[Any]:
    top = importlib.import_module(package)
    yield top
    for found in sorted(pkgutil.iter_modules(top.__path__), key=lambda m: m.name):
        yield importlib.import_module(f"{package}.{found.name}")


@functools.cache
def cards(framework: str) -> tuple[Card, ...]:
    """Every card of a framework, in the order of preference in which its modules list them (`CARDS`).

    Raises:
        PluginError: two cards for one key (record, API, fixed arguments, versions); both modules are named.
    """
    described = plugin.framework(framework)
    found: list[Card] = []
    where: dict[Any, str] = {}
    modules = [*_modules(described.cards)] if described.cards else []
    rows = [(module.__name__, getattr(module, "CARDS", ())) for module in modules]
    for name, group in (*extensions.cards(described.name), *rows):
        for row in group:
            whole = dataclasses.replace(row, framework=described.name)
            fixed = tuple(sorted((name, repr(value.value)) for name, value in whole.fixed.items()))
            key = (whole.record, whole.api, fixed, whole.versions, whole.ranks, whole.kind)
            if key in where:
                raise PluginError(
                    f"Expected one card for {whole.record} as {whole.api}. Received two: in {where[key]} and in {name}."
                )
            where[key] = name
            found.append(whole)
    return tuple(found)


@functools.cache
def by_record(framework: str) -> Mapping[str, tuple[Card, ...]]:
    """A framework's cards by canonical op."""
    grouped: dict[str, list[Card]] = {}
    for row in cards(framework):
        grouped.setdefault(row.record, []).append(row)
    return {name: tuple(rows) for name, rows in grouped.items()}


@functools.cache
def by_api(framework: str) -> Mapping[str, tuple[Card, ...]]:
    """A framework's readable cards by API name (each rank's spelling and every alias)."""
    grouped: dict[str, list[Card]] = {}
    for row in cards(framework):
        for name in dict.fromkeys(row.names()):
            grouped.setdefault(name, []).append(row)
    return {name: tuple(rows) for name, rows in grouped.items()}


def choose(framework: str, facts: Facts) -> tuple[Card, dict[str, Any]]:
    """The first card of the framework that can say the op, with its arguments.

    Raises:
        Unsupported: none can; the reasons of all are given.
    """
    reasons: list[str] = []
    kind: type[Unsupported] = UnknownOperator
    for row in by_record(framework).get(facts.record, ()):
        if not row.write or row.kind is Kind.SERIAL:
            continue
        try:
            return row, row.lower(facts)
        except Unsupported as refusal:
            reasons.append(str(refusal))
            kind = type(refusal)
    raise kind("; ".join(dict.fromkeys(reasons)) or f"{framework} has no card for {facts.record}")


def find_to_read(framework: str, api: str, arguments: Mapping[str, Any]) -> Card:
    """The card that reads a serialised call.

    Raises:
        Unsupported: no card knows the API, or none of its cards fits the arguments.
    """
    rows = [row for row in by_api(framework).get(api, ()) if row.read]
    if not rows:
        raise Unsupported(f"no card of {framework} knows {api}")
    for row in rows:
        if row.matches(arguments):
            return row
    fixed = "; ".join(f"{n}={f.value!r}" for row in rows for n, f in row.fixed.items())
    raise Unsupported(f"no card of {api} fits its arguments (the cards want {fixed})")
