"""Malformed and malicious files: converted or refused by an error of ours; `make fuzz` judges many more."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from hostile import FINE, judge
from hostile_files import Hostile, crafted, mutated

CRAFTED = list(crafted())
SLOW = ("functions that double ten times", "fifty thousand", "two thousand", "thirty thousand", "5000", "five thousand")


def test_crafted_and_mutated_files_are_converted_or_refused():
    quick = [case for case in CRAFTED if not case.name.startswith(SLOW) and case.kind != "location"]
    chosen = [*quick[::2], *[case for case in CRAFTED if case.kind == "location"][::6], *mutated(30, random.Random(5))]
    found = {case.name: (verdict, said) for case, verdict, said, _ in judge(chosen)}
    assert len(found) >= 60
    assert {name: told for name, told in found.items() if told[0] not in FINE} == {}


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "link", "zero", "up/secret", "sub/../../secret"])
def test_weights_outside_the_folder_are_never_read(place):
    cases = [case for case in CRAFTED if case.name.endswith(f"at {place!r}")]
    assert len(cases) == 3
    for _, verdict, said, _ in judge(cases):
        assert (verdict, said.split(":")[0]) == ("refused", "UntrustedSource")


def test_a_dead_reader_is_a_finding():
    nothing = Hostile("nothing to write", "crafted", None)  # type: ignore[arg-type]
    assert [verdict for _, verdict, _, _ in judge([nothing, nothing])] == ["crash", "crash"]
