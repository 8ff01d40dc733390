"""Runs the cases in the real frameworks and writes down how they came out: the evidence."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from interlingua import plugin
from interlingua.cards import Card, Kind, by_record, cards, choose
from interlingua.environments import interpreter_for, script_path
from interlingua.errors import InterlinguaError, RuntimeMissing, Unsupported, UnsupportedModel, UsageError
from interlingua.plugin import Framework, Runtime
from interlingua.proof.compare import compare
from interlingua.records import record
from interlingua.records.cases import Case, cases
from interlingua.tables import evidence, execute, remarks
from interlingua.tables.calls import Call, by_default, call
from interlingua.tables.evidence import Evidence, Outcome
from interlingua.tables.sources import readable
from interlingua.worker import Worker, shared

TOLERANCE = 1e-5
_MEASURING = Path(__file__).with_name("runtime_signatures.py")


def verify(*, framework: str = "", record: str = "", say: Callable[[str], None] = lambda line: None) -> int:
    """Runs every case (of a framework or runtime, of a record), writes the evidence, and tells how many failed.

    Where only some records are run, what the evidence held of the others is kept.

    Raises:
        UsageError: no framework, runtime or record of that name.
    """
    failed = 0
    for described, runtime in chosen(framework):
        try:
            found = run(described, runtime, record)
        except RuntimeMissing as missing:
            say(f"{runtime.name}: not run. {missing}")
            continue
        where = evidence.folder(described.name)
        if where is None:
            continue
        if record:
            found = _kept(found, where, record)
        found.save(where)
        counts = {
            word: sum(o.result == word for o in found.outcomes)
            for word in dict.fromkeys(o.result for o in found.outcomes)
        }
        say(f"{runtime.name} {found.version}: {', '.join(f'{n} {word}' for word, n in counts.items())}")
        for outcome in found.outcomes:
            if outcome.result == "failed" and outcome.record in (record or outcome.record):
                failed += 1
                say(f"  {outcome.record}, {outcome.case}, {outcome.api}: {outcome.reason}")
    evidence.forget()
    return failed


def chosen(name: str) -> Iterator[tuple[Framework, Runtime]]:
    """The runtimes that `name` (a framework, a runtime, or "" for all) stands for, with their frameworks."""
    found = [
        (plugin.framework(candidate), runtime)
        for candidate in readable()
        for runtime in plugin.framework(candidate).runtimes
        if name in ("", candidate, *plugin.framework(candidate).aliases, runtime.name)
    ]
    if not found:
        raise UsageError(
            f"Expected a framework with cards ({', '.join(readable())}) or one of their runtimes. Received {name!r}."
        )
    yield from found


def _kept(found: Evidence, where: Path, record: str) -> Evidence:
    path = where / f"{found.runtime}-{found.version}.json"
    before = evidence.read(path).outcomes if path.is_file() else ()
    rest = tuple(outcome for outcome in before if outcome.record != record)
    return dataclasses.replace(found, outcomes=(*rest, *(o for o in found.outcomes if o.record == record)))


def run(framework: Framework, runtime: Runtime, only: str = "") -> Evidence:
    """Runs the cases in one runtime.

    Raises:
        RuntimeMissing: it is not installed.
    """
    versions = shared(runtime.name).versions()
    engine = _engine(runtime, versions)
    version = versions[engine]
    if only:
        record(only)
    outcomes: list[Outcome] = []
    with Worker(interpreter_for(runtime), _MEASURING, name=f"{runtime.name}, signatures") as measuring:
        for case in cases():
            if only in ("", case.record):
                declares = case.record == "placeholder"
                found = (
                    _declared(case, framework, version, measuring)
                    if declares
                    else _case(case, framework, runtime, version)
                )
                outcomes.extend(found)
        measured = signatures(framework, version, measuring)
    return Evidence(runtime.name, framework.name, engine, version, versions, measured, tuple(outcomes))


def _engine(runtime: Runtime, versions: dict[str, str]) -> str:
    """What of a runtime's versions is the runtime's own: the first module it imports, where it is told."""
    told = (*runtime.imports[:1], runtime.name, runtime.name.rstrip("0123456789"))
    return next((name for name in told if name in versions), next(n for n in versions if n not in ("python", "numpy")))


def signatures(framework: Framework, version: str, measuring: Worker) -> dict[str, list[list[str | None]] | None]:
    """The measured signature of every API of the framework's cards, None where Python tells none."""
    apis = sorted(
        {
            card.spelled(rank)
            for card in cards(framework.name)
            if _called_by_name(card, version)
            for rank in card.ranks or (0,)
        }
    )
    return dict(measuring.call("signatures", phase="measure signatures", timeout=300.0, apis=apis).value)


def _declared(case: Case, framework: Framework, version: str, measuring: Worker) -> Iterator[Outcome]:
    """Whether each API that declares an input gives it the shape that the case says."""
    made = call(case)
    stated = case.unproved.get(f"{framework.name} called", "")
    for card in by_record(framework.name).get(case.record, ()):
        if not _called_by_name(card, version) or "." not in card.api:
            continue
        try:
            said = card.lower(made.facts)
        except Unsupported:
            continue
        try:
            shape = measuring.call(
                "declare", phase=f"call {card.api}", timeout=execute.SECONDS, api=card.api, arguments=said
            ).value
        except InterlinguaError as error:
            yield _failed(case, card.api, "card", error.message, stated)
            continue
        if shape == list(case.values["shape"]):
            yield Outcome(case.record, case.name, evidence.PROVED, card.api, "card", said)
        else:
            yield _failed(case, card.api, "card", f"shape {shape}, expected {case.values['shape']}", stated)


def _called_by_name(card: Card, version: str) -> bool:
    return card.kind is not Kind.SERIAL and evidence.holds(card, version)


def _case(case: Case, framework: Framework, runtime: Runtime, version: str) -> Iterator[Outcome]:
    """Every outcome of a case: as the backend writes it, and through each card that it does not write."""
    through: set[str] = set()
    writes = (
        framework.backend is not None and framework.backend.runtime == runtime.name and not record(case.record).concept
    )
    if writes:
        for outcome in _written(case, framework):
            through.add(outcome.api)
            yield outcome
    if not _probes(runtime):
        return
    by_function = remarks.of_record(framework.name, case.record) is not None
    seen = set()
    for card in by_record(framework.name).get(case.record, ()):
        key = (card.spelled(case.rank), tuple(sorted((n, repr(f.value)) for n, f in card.fixed.items())))
        if (
            card.kind is Kind.SERIAL
            or not evidence.holds(card, version)
            or card.spelled(case.rank) in through
            or key in seen
        ):
            continue
        if writes and by_function and card.write:
            continue  # a function writes it, with more than one call of the API
        outcomes = list(_through(card, case, runtime))
        seen.update([key] if outcomes else [])
        yield from outcomes


@functools.cache
def _probes(runtime: Runtime) -> bool:
    """Whether single calls can be made there; Caffe's layers, for one, only run inside a network."""
    return "\ndef probe(" in script_path(runtime).read_text(encoding="utf-8")


def _written(case: Case, framework: Framework) -> list[Outcome]:
    """The outcome of the model that the backend writes; a default call is written with the API's own defaults, and
    is none where the API must be told more."""
    try:
        made, card = _as_written(case, framework)
    except Unsupported:
        return []
    return [_run_written(case, framework, made, card)]


def _run_written(case: Case, framework: Framework, made: Call, card: Card | None) -> Outcome:
    stated = case.unproved.get(framework.name, "")
    try:
        ran = execute.written(made, framework)
    except UnsupportedModel as refusal:
        return _refused(case, framework.name, "; ".join(map(str, refusal.refusals)) or refusal.message)
    except RuntimeMissing:
        raise
    except InterlinguaError as error:
        return _failed(case, "", "written", error.message, stated)
    api = card.spelled(case.rank) if card is not None else ""
    direct = card is not None and any(name.partition("(")[0] in (api, f"{framework.name}.{api}") for name in ran.apis)
    difference = compare("", made.expected, ran.result, TOLERANCE)
    if not difference.within:
        return _failed(
            case, api, "written", difference.reason or f"relative difference {difference.relative:.2g}", stated
        )
    if stated:
        return Outcome(
            case.record, case.name, "failed", api, "written", reason=f"it is proved, though the case states: {stated}"
        )
    said = card.lower(made.facts) if card is not None and direct else {}
    route = "written" if direct else "decomposed"
    return Outcome(
        case.record,
        case.name,
        evidence.PROVED,
        api if direct else "+".join(dict.fromkeys(ran.apis)),
        route,
        said,
        _rounded(difference.relative),
    )


def _as_written(case: Case, framework: Framework) -> tuple[Call, Card | None]:
    if case.default_call:
        card = first_card(framework.name, case)
        made = by_default(card, case)
        card.lower(made.facts)
        return made, card
    made = call(case)
    try:
        return made, choose(framework.name, made.facts)[0]
    except Unsupported:
        return made, None


def first_card(framework: str, case: Case) -> Card:
    """The card that the framework is written through, of those for the case's rank.

    Raises:
        Unsupported: there is none.
    """
    for card in by_record(framework).get(case.record, ()):
        fits = not card.ranks or case.rank in card.ranks
        agrees = all(card.implied.get(name, value) == value for name, value in case.values.items())
        if card.write and card.kind is not Kind.SERIAL and fits and agrees:
            return card
    raise Unsupported(f"{framework} has no card for {case.record}")


def _rounded(number: float) -> float:
    return float(f"{number:.1e}")


def _refused(case: Case, name: str, reason: str) -> Outcome:
    if name in case.unproved:
        return _failed(case, "", "written", reason, case.unproved[name])
    expected = name in case.cannot
    return Outcome(
        case.record,
        case.name,
        "refused" if expected else "failed",
        "",
        "written",
        reason=" ".join(reason.split())[:200],
    )


def _failed(case: Case, api: str, route: str, reason: str, stated: str) -> Outcome:
    word, _, why = stated.partition(": ")
    if word in ("notimpl", "notyet", "never"):
        return Outcome(case.record, case.name, word, api, route, reason=why)
    told = reason.partition("The end of its traceback")[0]  # what follows names files of this machine
    return Outcome(case.record, case.name, "failed", api, route, reason=" ".join(told.split())[:300])


def _through(card: Card, case: Case, runtime: Runtime) -> Iterator[Outcome]:
    """The outcome of one call of a card's API; none where the card cannot say the case."""
    try:
        made = by_default(card, case) if case.default_call else call(case)
        probe = execute.probe_of(card, made)
    except Unsupported:
        return
    api = card.spelled(case.rank)
    stated = case.unproved.get(f"{runtime.name} called", "")
    if stated.startswith("never"):
        yield _failed(case, api, "card", "", stated)
        return
    try:
        result = execute.probed(card, probe, runtime.name)
    except RuntimeMissing:
        raise
    except InterlinguaError as error:
        yield _failed(case, api, "card", error.message, stated)
        return
    difference = compare(
        "",
        made.expected,
        result.reshape(made.expected.shape) if result.size == made.expected.size == 1 else result,
        TOLERANCE,
    )
    if not difference.within:
        yield _failed(case, api, "card", difference.reason or f"relative difference {difference.relative:.2g}", stated)
        return
    yield Outcome(case.record, case.name, evidence.PROVED, api, "card", probe.said, _rounded(difference.relative))
