"""VGG-16 in slim's names, narrow, by the article's protocol; `make vgg` does the same at full width."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interlingua import pipeline
from interlingua.artifact import ReadOptions

MAKER = Path(__file__).resolve().parent.parent / "examples" / "make_vgg16_tf1.py"
LARGEST = 5e-6


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph and its checkpoint, with eight channels in the first block."""
    folder = tmp_path_factory.mktemp("vgg16")
    subprocess.run([sys.executable, MAKER, folder, "--width", "8"], check=True, capture_output=True)
    return folder / "model.meta"


@pytest.mark.slow
def test_slims_vgg16_is_short_code_and_the_same_numbers(checkpoint: Path, tmp_path: Path) -> None:
    read = ReadOptions(("inputs",), ("vgg_16/fc8/squeezed",), {"": (None, 224, 224, 3)})
    report = pipeline.convert(checkpoint, "torch", tmp_path / "out", pipeline.ConvertOptions(read))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert max(proof.relative for proof in report.proofs) <= LARGEST
    assert report.transposes["leftover"] == 0
    text = (tmp_path / "out" / "model.py").read_text("utf-8")
    assert "self.conv1_1 = nn.Conv2d(3, 8, 3, padding=1)" in text
    assert "x = F.relu(self.conv5_3(x))" in text and "self.fc6 = nn.Conv2d(64, 512, 7)" in text
    assert report.weights["fc6.weight"] == "transpose(vgg_16/fc6/weights, 3, 2, 0, 1)"
