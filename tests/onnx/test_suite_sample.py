"""The committed result of the ONNX backend suite: whole, a word for every failure, and a sample run again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULT: dict[str, Any] = json.loads((ROOT / "docs" / "results" / "suite.json").read_text("utf-8"))
CASES: dict[str, Any] = RESULT["cases"]
COUNTED = {name: row for name, row in CASES.items() if row["onnxruntime"] == "pass"}
GOALS = {"torch": 0.90, "onnx": 0.99}
WORDS = {"notimpl", "notyet", "never"}
STAGES = {"write", "import", "run", "compare"}
SAMPLE = 40


def test_every_case_of_the_suite_is_in_the_result() -> None:
    assert len(CASES) == 2024
    assert len(COUNTED) >= 1600
    assert all("torch" in row for row in CASES.values())


@pytest.mark.parametrize("target", sorted(GOALS))
def test_every_failure_has_its_word_and_reason(target: str) -> None:
    rows = {name: row[target] for name, row in COUNTED.items() if target in row}
    wrong = [
        name
        for name, row in rows.items()
        if row != "pass" and not (row["word"] in WORDS and row["stage"] in STAGES and row["reason"].strip())
    ]
    assert not wrong


@pytest.mark.parametrize("plain", [False, True], ids=["all", "not expanded"])
@pytest.mark.parametrize("target", sorted(GOALS))
def test_the_share_of_cases_that_pass_is_the_goal(target: str, plain: bool) -> None:
    rows = [row.get(target) for name, row in COUNTED.items() if not (plain and "_expanded" in name)]
    if not any(rows):
        pytest.skip(f"{target} has not been run")
    assert sum(row == "pass" for row in rows) / len(rows) >= GOALS[target]


def test_a_sample_still_passes() -> None:
    passed = sorted(name for name, row in COUNTED.items() if row["torch"] == "pass")
    chosen = passed[:: len(passed) // SAMPLE]
    pattern = f"^({'|'.join(map(re.escape, chosen))})$"
    command = [sys.executable, str(ROOT / "tools" / "suite.py"), "--target", "torch", "--only", pattern]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("test_") and not line.endswith("  pass")]
    assert not failed, "\n".join(failed)
    assert f"torch: {len(chosen)} of {len(chosen)} pass" in done.stdout, done.stderr
