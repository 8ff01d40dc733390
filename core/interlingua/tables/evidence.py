"""Evidence: what was run on which exact version, and how it came out. Reading it imports no framework.

One JSON file stands for each version of each runtime, in the package that ships the cards:
`evidence/torch-2.13.0.json`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlingua import plugin
from interlingua.cards import Card
from interlingua.errors import PluginError

PROVED = "proved"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one case came out for one API.

    `result` is "proved" (it gave what the case says), "refused" (as the case says, with `reason`), "failed", or one
    of the words `notimpl`, `notyet`, `never`. `said` are the arguments that were given; `route` is "card" where the
    API itself was called, "written" where the backend wrote the model through it, "decomposed" where it took others.
    """

    record: str
    case: str
    result: str
    api: str = ""
    route: str = ""
    said: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    difference: float | None = None
    reason: str = ""

    def as_json(self) -> str:
        """One line, without what is empty."""
        row = {k: v for k, v in dataclasses.asdict(self).items() if v not in ("", None, {})}
        return json.dumps(row, ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Everything that was run on one version of a runtime; `engine` is what has that version. A signature is None
    where Python tells none."""

    runtime: str
    framework: str
    engine: str
    version: str
    versions: Mapping[str, str]
    signatures: Mapping[str, list[list[str | None]] | None]
    outcomes: tuple[Outcome, ...]

    def save(self, folder: Path) -> Path:
        """Writes `<runtime>-<version>.json` into the folder: small, sorted, one line a case."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.runtime}-{self.version}.json"
        head = {
            "runtime": self.runtime,
            "framework": self.framework,
            "engine": self.engine,
            "version": self.version,
            "versions": dict(self.versions),
        }
        signatures = [f"  {json.dumps(api)}: {json.dumps(self.signatures[api])}" for api in sorted(self.signatures)]
        ordered = sorted(self.outcomes, key=lambda o: (o.record, o.case, o.api, o.route))
        lines = [
            "{",
            *(f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()),
            ' "signatures": {',
            ",\n".join(signatures),
            " },",
            ' "cases": [',
            ",\n".join(f"  {outcome.as_json()}" for outcome in ordered),
            " ]",
            "}",
        ]
        path.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
        return path


def plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as the evidence holds them, tuples as lists."""
    found: dict[str, Any] = json.loads(json.dumps(dict(said)))
    return found


def read(path: Path) -> Evidence:
    """The evidence of a file.

    Raises:
        PluginError: the file is not what `Evidence.save` writes.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        outcomes = tuple(Outcome(**row) for row in whole.pop("cases"))
        return Evidence(outcomes=outcomes, **whole)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PluginError(
            f"Expected evidence as `interlingua api verify` writes it. Received {path.name!r}: {error}."
        ) from error


def folder(framework: str) -> Path | None:
    """Where a framework's evidence stands: beside its cards; None where it ships none."""
    package = plugin.framework(framework).cards.rpartition(".")[0]
    spec = importlib.util.find_spec(package) if package else None
    for location in (spec and spec.submodule_search_locations) or ():
        return Path(location) / "evidence"
    return None


@functools.cache
def load(framework: str) -> tuple[Evidence, ...]:
    """A framework's evidence: of each of its runtimes the newest version."""
    where = folder(framework)
    newest: dict[str, Evidence] = {}
    names = {runtime.name for runtime in plugin.framework(framework).runtimes}
    for path in sorted(where.glob("*.json")) if where else ():
        found = read(path)
        if found.runtime in names and _order(found.version) >= _order(
            newest[found.runtime].version if found.runtime in newest else ""
        ):
            newest[found.runtime] = found
    return tuple(newest[name] for name in sorted(newest))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@functools.cache
def _by_api(framework: str) -> Mapping[tuple[str, str, str], tuple[Outcome, ...]]:
    grouped: dict[tuple[str, str, str], list[Outcome]] = {}
    for evidence in load(framework):
        for outcome in evidence.outcomes:
            grouped.setdefault((evidence.runtime, outcome.record, outcome.api), []).append(outcome)
    return {key: tuple(rows) for key, rows in grouped.items()}


def forget() -> None:
    """Reads the evidence anew when next asked."""
    load.cache_clear()
    _by_api.cache_clear()


@dataclasses.dataclass(frozen=True)
class Proof:
    """What was proved of an API: on which exact versions, by how many cases, and which parameters took part."""

    versions: tuple[str, ...] = ()
    cases: int = 0
    parameters: frozenset[str] = frozenset()
    signature: tuple[tuple[str, str | None], ...] = ()

    @property
    def text(self) -> str:
        """ "proved on torch 2.13.0 (8 cases)", or "stated"."""
        if not self.versions:
            return "stated"
        plural = "s" if self.cases > 1 else ""
        return f"proved on {', '.join(self.versions)} ({self.cases} case{plural})"


def proof(card: Card, rank: int) -> Proof:
    """What the evidence proves of a card: nothing where a case of it failed, or where it says things otherwise now."""
    versions: list[str] = []
    proved: list[Outcome] = []
    signature: list[list[str | None]] = []
    api = card.spelled(rank)
    for evidence in load(card.framework):
        if not holds(card, evidence.version):
            continue
        signature = signature or evidence.signatures.get(api) or []
        rows = [
            row for row in _by_api(card.framework).get((evidence.runtime, card.record, api), ()) if _of_card(card, row)
        ]
        good = [row for row in rows if row.result == PROVED and row.said.keys() <= _arguments(card)]
        if good and not any(row.result == "failed" for row in rows):
            versions.append(f"{evidence.engine} {evidence.version}")
            proved.extend(good)
    said = frozenset(name for row in proved for name in row.said)
    pairs = tuple((str(name), default) for name, default in signature)
    return Proof(tuple(versions), len({(row.record, row.case) for row in proved}), said, pairs)


def holds(card: Card, version: str) -> bool:
    """Whether the card speaks of that version of its framework."""
    if not card.versions:
        return True
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(card.versions).contains(version, prereleases=True)


def _arguments(card: Card) -> set[str]:
    return {p.name for p in card.parameters.values()} | set(card.fixed)


def _of_card(card: Card, row: Outcome) -> bool:
    """Whether the outcome is of this card and not of another of the same API."""
    return all(
        row.said.get(name, fixed.default) == fixed.value for name, fixed in card.fixed.items() if name in row.said
    )
