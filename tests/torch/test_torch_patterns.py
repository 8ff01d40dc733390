"""The networks that users fail with: to PyTorch and to ONNX, proved, and held against the source at other sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch_pattern_cases import PATTERNS, SAMPLING, Draw
from torch_patterns import convert

from interlingua.errors import VerificationFailed

torch.set_num_threads(2)

QUICK = ("shuffled", "settling-scripted", "unordered", "cubes")
TARGETS = ("torch", "onnx")
SEEDS = 3


def check(make: object, seed: int, folder: Path, to: str) -> None:
    """Converts the case of a seed, and runs what was written at batches of 1 and 3 and other sizes."""
    case = make(Draw(seed))  # type: ignore[operator]
    convert(case.module, case.example, folder, *case.others, to=to, dynamic=case.dynamic)


def _named(names: object, quick: tuple[str, ...] = ()) -> list[object]:
    return [pytest.param(name, marks=[] if name in quick else [pytest.mark.slow]) for name in names]  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", _named(PATTERNS, QUICK))
def test_to_pytorch(name: str, tmp_path: Path) -> None:
    check(PATTERNS[name], 0, tmp_path / "out", "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", PATTERNS)
def test_to_onnx(name: str, tmp_path: Path) -> None:
    check(PATTERNS[name], 0, tmp_path / "out", "onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", PATTERNS)
def test_drawn(name: str, tmp_path: Path) -> None:
    """Other sizes, options and dtypes, the seed and the target by the pattern's place in the table."""
    place = list(PATTERNS).index(name)
    check(PATTERNS[name], 1 + place % SEEDS, tmp_path / "out", TARGETS[place % 2])


_WRONG = "Sampled-bicubic-border-edges"
_REASON = (
    "notyet (upstream): onnxruntime lacks GridSample cubic in float64, onnx's reference clamps its border otherwise"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[pytest.mark.xfail(raises=VerificationFailed, strict=True, reason=_REASON)] if name == _WRONG else [],
        )
        for name in SAMPLING
    ],
)
def test_sampling(name: str, tmp_path: Path) -> None:
    """Both corner rules and all paddings, by the operator and written out."""
    place = list(SAMPLING).index(name)
    check(SAMPLING[name], place % SEEDS, tmp_path / "out", TARGETS[(place // 2) % 2])
