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
TARGETS = (*GOALS, "older")
WORDS = {"notimpl", "notyet", "never"}
STAGES = {"write", "import", "run", "compare"}
SAMPLE = {"torch": 40, "onnx": 25, "older": 25}


def test_every_case_of_the_suite_is_in_the_result() -> None:
    assert len(CASES) == 2024
    assert len(COUNTED) == 1652
    assert sum("_expanded" not in name for name in COUNTED) == 1210
    assert all(target in row for row in COUNTED.values() for target in TARGETS)


def test_an_older_opset_says_a_case_or_refuses_it() -> None:
    rows = {name: row["older"] for name, row in COUNTED.items() if row["older"] != "pass"}
    assert {name: row for name, row in rows.items() if (row["word"], row["stage"]) != ("never", "write")} == {}


def test_numbers_below_a_byte_come_through_onnx() -> None:
    small = [name for name in COUNTED if re.search("castlike_.*INT[24]", name)]
    assert len(small) == 40
    assert all(COUNTED[name]["onnx"] == "pass" for name in small)


@pytest.mark.parametrize("target", TARGETS)
def test_every_failure_has_its_word_and_reason(target: str) -> None:
    rows = {name: row[target] for name, row in COUNTED.items()}
    wrong = [
        name
        for name, row in rows.items()
        if row != "pass" and not (row["word"] in WORDS and row["stage"] in STAGES and row["reason"].strip())
    ]
    assert not wrong


@pytest.mark.parametrize("plain", [False, True], ids=["all", "not expanded"])
@pytest.mark.parametrize("target", sorted(GOALS))
def test_the_share_of_cases_that_pass_is_the_goal(target: str, plain: bool) -> None:
    rows = [row[target] for name, row in COUNTED.items() if not (plain and "_expanded" in name)]
    assert sum(row == "pass" for row in rows) / len(rows) >= GOALS[target]


@pytest.mark.parametrize(
    "target", ["torch", pytest.param("onnx", marks=pytest.mark.slow), pytest.param("older", marks=pytest.mark.slow)]
)
def test_a_sample_still_passes(target: str) -> None:
    passed = sorted(name for name, row in COUNTED.items() if row[target] == "pass")
    chosen = passed[:: len(passed) // SAMPLE[target]]
    pattern = f"^({'|'.join(map(re.escape, chosen))})$"
    command = [sys.executable, str(ROOT / "tools" / "suite.py"), "--target", target, "--only", pattern]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("test_") and not line.endswith("  pass")]
    assert not failed, "\n".join(failed)
    assert f"{target}: {len(chosen)} of {len(chosen)} pass" in done.stdout, done.stderr
