"""A fair sample of the zoo, run anew, and what the committed results promise; the whole is `make zoo`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / ".environments" / "zoo" / "bin" / "python"
ROWS: dict[str, dict[str, Any]] = json.loads((ROOT / "docs" / "results" / "zoo.json").read_text())
SAMPLE = ("squeezenet1_1", "flownet_fusion")


def measured(name: str, folder: Path) -> dict[str, Any]:
    command = [str(PYTHON), str(ROOT / "tests" / "zoo" / "one.py"), name, str(folder)]
    done = subprocess.run(
        command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    row: dict[str, Any] = json.loads((folder / "row.json").read_text())
    return row


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="no environment of the zoo: make zoo")
@pytest.mark.parametrize("name", SAMPLE)
def test_sample(name: str, tmp_path: Path) -> None:
    row = measured(name, tmp_path)
    for target in ("torch", "onnx"):
        assert row[target]["verdict"] == "proved", row[target]
    assert row["batch"] == "open" and row["other_batch"]["agrees"]
    assert row["gradients"]["agrees"], row["gradients"]
    assert row["generated"]["parameters"] == row["generated"]["trainable"] == row["parameters"] - row["unused"]


def test_committed_results_are_whole() -> None:
    """Each row that is not proved has its reason; a generated model has the source's parameters."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import zoo_page
    finally:
        sys.path.pop(0)
    assert ROWS
    for name, row in ROWS.items():
        assert row["name"] == name
        for step in ("export", "torch", "onnx"):
            said = row.get(step)
            assert said is None or said["verdict"] == "proved" or said["reason"], f"{name}: {step}"
        if row.get("torch", {}).get("verdict") == "proved" and "parameters" in row.get("generated", {}):
            assert zoo_page.same_parameters(row), name


def test_a_word_is_kept_for_what_is_short_alone() -> None:
    words: dict[str, list[str]] = json.loads((ROOT / "tools" / "zoo_words.json").read_text())
    for name, (word, reason) in words.items():
        architecture, _, step = name.partition(":")
        assert word in ("notimpl", "notyet", "never") and reason, name
        said = ROWS[architecture].get(step, {})
        assert "proved" not in said.values() and True not in (said.get("agrees"), said.get("loads")), name


def test_committed_results_reach_what_is_promised() -> None:
    """At least 40 architectures both ways, four in five with the source's state dict, gradients on a dozen."""
    both = [row for row in ROWS.values() if all(row.get(to, {}).get("verdict") == "proved" for to in ("torch", "onnx"))]
    loaded = [row for row in ROWS.values() if row.get("state_dict", {}).get("loads")]
    trained = [row for row in ROWS.values() if row.get("gradients", {}).get("agrees")]
    assert len(both) >= 40
    assert len(loaded) >= 0.8 * len(ROWS)
    assert len(trained) >= 12
