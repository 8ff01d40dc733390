"""Every program that Fluid saved is written as Fluid again, run as model.py and as inference model, and agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua import pipeline
from interlingua.pipeline import ConvertOptions

pytestmark = pytest.mark.legacy


def test_what_is_written_computes_what_was_read(made: Path, tmp_path: Path, program: str) -> None:
    native = "fluid-combined" if len(program) % 2 else "fluid"
    report = pipeline.convert(made / program, "fluid", tmp_path / "out", ConvertOptions(native=native))
    assert [proof.verdict for proof in report.proofs] == ["proved"] * 3
    assert [proof.what for proof in report.proofs] == ["IR in onnxruntime", f"{native} artifact", "model.py"]
