"""The agreement of all outputs of two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlingua.proof.compare import Array, Difference, compare
from interlingua.report import Proof
from interlingua.worker import shared

if TYPE_CHECKING:
    from interlingua.proof.prove import VerifyOptions


def compared(
    what: str,
    reference_name: str,
    names: Sequence[str],
    reference: Sequence[Array],
    other: Sequence[Array],
    options: VerifyOptions,
    runtimes: Sequence[str],
) -> Proof:
    """The proof that `other` agrees with `reference`, output by output, stamped with the versions of `runtimes`."""
    if len(reference) != len(other):
        counts = Difference(
            "outputs", float("inf"), float("inf"), False, f"{len(other)} outputs, expected {len(reference)}"
        )
        return Proof(what, reference_name, "failed", (counts,), _versions(runtimes))
    rows = tuple(
        compare(name, left, right, options.tolerance, options.coarse.get(name, ""))
        for name, left, right in zip(names, reference, other, strict=True)
    )
    verdict = "proved" if all(row.within for row in rows) else "failed"
    return Proof(what, reference_name, verdict, rows, _versions(runtimes))


def _versions(runtimes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in runtimes:
        told = shared(name).versions()
        found[name] = ", ".join(f"{key} {value}" for key, value in told.items())
    return found
