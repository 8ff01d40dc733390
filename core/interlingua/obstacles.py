"""What stands in the way of a conversion, for each target, without converting."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlingua import pipeline, plugin
from interlingua.artifact import Source, WriteOptions
from interlingua.errors import InterlinguaError, Refusal, UnsupportedModel
from interlingua.notes import Notes
from interlingua.plugin import Framework


@dataclasses.dataclass(frozen=True)
class Finding:
    """One target: the nodes it cannot say, or what else stops it (`problem`), and the notes a conversion would take."""

    target: str
    nodes: int
    refusals: tuple[Refusal, ...] = ()
    problem: str = ""
    notes: Notes = dataclasses.field(default_factory=Notes)

    @property
    def converts(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.refusals and not self.problem

    def as_json(self) -> dict[str, Any]:
        """The form `interlingua check --json` prints."""
        refusals = [each.as_json() for each in self.refusals]
        told = {"nodes": self.nodes, "refusals": refusals, "problem": self.problem, "notes": self.notes.as_json()}
        return {"target": self.target, "converts": self.converts, **told}


def check(source: Source, targets: Sequence[str] = ()) -> list[Finding]:
    """What stands in the way of writing the model for each target; every framework with a backend where none is named.

    Raises:
        UsageError: a target is not known, or cannot be written.
    """
    named = [plugin.framework(name) for name in targets]
    return [_check(source, framework) for framework in named or plugin.frameworks().values() if framework.backend]


def _check(source: Source, framework: Framework) -> Finding:
    options = WriteOptions(notes=Notes())
    count = sum(1 for _ in source.model.graph.all_nodes())
    with tempfile.TemporaryDirectory(prefix="interlingua-check-") as folder:
        try:
            pipeline.write(source.model, framework, Path(folder), options, dry=True)
        except UnsupportedModel as error:
            refusals = tuple(each if isinstance(each, Refusal) else Refusal("", "", each) for each in error.refusals)
            return Finding(framework.name, count, refusals, "" if refusals else str(error), options.notes)
        except InterlinguaError as error:
            return Finding(framework.name, count, (), str(error), options.notes)
    return Finding(framework.name, count, notes=options.notes)
