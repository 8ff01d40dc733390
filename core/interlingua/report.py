"""What a conversion read, mapped, changed and proved: `report.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interlingua.codegen.package import Mapped
from interlingua.codegen.program import Port
from interlingua.notes import Notes
from interlingua.proof.compare import Difference

NAME = "report.json"


@dataclasses.dataclass(frozen=True)
class Proof:
    """One comparison: `what` against `reference`, each with the runtime that computed it.

    `verdict` is "proved", "failed", "inconclusive" or "skipped"; `reason` says why it is not proved.
    """

    what: str
    reference: str
    verdict: str
    differences: tuple[Difference, ...] = ()
    runtimes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reason: str = ""

    @property
    def absolute(self) -> float:
        """The largest absolute difference of all outputs."""
        return max((d.absolute for d in self.differences), default=0.0)

    @property
    def relative(self) -> float:
        """The largest relative difference of all outputs."""
        return max((d.relative for d in self.differences), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """The form `report.json` holds."""
        return {
            "what": self.what,
            "reference": self.reference,
            "verdict": self.verdict,
            "reason": self.reason,
            "runtimes": dict(self.runtimes),
            "outputs": [difference.as_json() for difference in self.differences],
        }


@dataclasses.dataclass
class Report:
    """The whole of a conversion. `axes` gives, for inputs and outputs whose axis order changed, the transpose from
    the source's array to the target's. `folder` and `seconds` are not written: the same input gives the same bytes."""

    source: dict[str, Any]
    target: dict[str, Any]
    folder: Path
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    mapped: tuple[Mapped, ...] = ()
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Notes = dataclasses.field(default_factory=Notes)
    proofs: list[Proof] = dataclasses.field(default_factory=list)
    transposes: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    verification: dict[str, Any] = dataclasses.field(default_factory=dict)
    axes: Mapping[str, list[int]] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The form `report.json` holds."""
        return {
            "source": self.source,
            "target": self.target,
            "inputs": [_port(port) for port in self.inputs],
            "outputs": [_port(port) for port in self.outputs],
            "axes": dict(self.axes),
            "layers": [dataclasses.asdict(row) for row in self.mapped],
            "weights": dict(self.weights),
            "notes": self.notes.as_json(),
            "transposes": dict(self.transposes),
            "verification": self.verification,
            "proofs": [proof.as_json() for proof in self.proofs],
        }

    def write(self, folder: Path) -> None:
        """Writes report.json into `folder`."""
        text = json.dumps(self.as_json(), indent=1, ensure_ascii=False)
        (folder / NAME).write_text(text + "\n", encoding="utf-8")


def _port(port: Port) -> dict[str, Any]:
    return {
        "identifier": port.identifier,
        "name": port.name,
        "shape": None if port.shape is None else list(port.shape),
        "dtype": port.dtype.name,
    }


def runtime_ports(ports: tuple[Port, ...], sizes: Mapping[str, Sequence[int]] | None = None) -> list[dict[str, Any]]:
    """The ports as a runtime's `materialise` takes them: identifier, shape with None for an unknown axis, dtype.

    `sizes` are shapes by identifier that the model is known to take: "like" beside the shape.
    """
    return [
        {
            "name": port.identifier,
            "shape": [size if isinstance(size, int) else None for size in port.shape or ()],
            "dtype": port.dtype.numpy().name,
            **({"like": list(sizes[port.identifier])} if sizes and port.identifier in sizes else {}),
        }
        for port in ports
    ]
