"""Converting a network and holding what was written against it on other inputs than those of the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import torch
import torch_pattern_nets as nets
from torch import nn
from torch.utils._pytree import tree_leaves

import interlingua
from interlingua.proof import execute
from interlingua.proof.compare import Array, compare
from interlingua.proof.folder import load_report
from interlingua.proof.prove import targets
from interlingua.report import Report
from interlingua_torch.runtime_values import to_array

__all__ = ["agree", "convert", "nets", "outputs_of"]

Example = tuple[torch.Tensor, ...]


def array_of(value: torch.Tensor) -> Array:
    """The array of a tensor; bfloat16, which numpy lacks, in the type of ml_dtypes."""
    return (
        value.view(torch.int16).numpy().view(ml_dtypes.bfloat16) if value.dtype == torch.bfloat16 else to_array(value)
    )


def outputs_of(module: nn.Module, example: Example) -> list[Array]:
    """What the module computes, flat."""
    with torch.no_grad():
        return [array_of(value) for value in tree_leaves(module(*example)) if isinstance(value, torch.Tensor)]


def agree(module: nn.Module, folder: Path, *examples: Example, tolerance: float = 1e-4) -> None:
    """Asserts that all that stands in a result folder computes what the module does."""
    report = load_report(folder)
    native = {"path": report["target"]["path"], "format": report["target"]["native"]}
    names = [row["identifier"] for row in report["outputs"]]
    for example in examples:
        reference = outputs_of(module, example)
        arrays = {row["identifier"]: array_of(x) for row, x in zip(report["inputs"], example, strict=True)}
        for what, arguments in targets(folder, native, names):
            found = execute.run(report["target"]["framework"], arrays, arguments, phase=f"run {what}")
            assert len(found) == len(reference)
            for name, left, right in zip(names, reference, found, strict=True):
                difference = compare(name, left, right, tolerance)
                assert difference.within, (what, [tuple(x.shape) for x in example], difference)


def convert(
    module: nn.Module,
    example: Example,
    folder: Path,
    *others: Example,
    to: str = "torch",
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    verdicts: Sequence[str] = ("proved",),
    **options: Any,
) -> Report:
    """Converts the module, proved, and holds what was written against it on the other examples."""
    report = interlingua.convert(module, to, folder, example_inputs=example, dynamic=dynamic, force=True, **options)
    assert {proof.verdict for proof in report.proofs} <= set(verdicts)
    agree(module, folder, *others)
    return report
