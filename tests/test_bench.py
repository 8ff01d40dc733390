"""The bench's own arithmetic and pictures, and what it found to cost too much."""

from __future__ import annotations

import gc
import importlib
import sys
import xml.etree.ElementTree as tree
from pathlib import Path
from types import ModuleType

import pytest

from interlingua.collector import ALLOCATIONS, seldom_collecting

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that reads the committed results."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "results", raising=False)
    return importlib.import_module("results")


def test_the_ratio_of_twins_that_differ_by_a_tenth(bench: ModuleType) -> None:
    told = bench.ratio([1.1, 1.12, 1.08, 1.1, 1.11], [1.0, 1.01, 0.99, 1.0, 1.02])
    assert told["ratio"] == pytest.approx(1.1, abs=0.01)
    assert told["low"] <= told["ratio"] <= told["high"]


def test_every_table_has_rows_as_wide_as_its_header(bench: ModuleType) -> None:
    tables = bench.tables()
    assert tables
    for title, header, rows in tables:
        assert all(len(row) == len(header) for row in rows), title


def test_pictures_are_svg_with_a_bar_a_row_inside_the_frame() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        bars = importlib.import_module("chart").bars
    finally:
        sys.path.pop(0)
    drawn = tree.fromstring(bars("a < b", [("one", 1.0, (0.9, 1.3)), ("two", 2.0, None)], goal=1.05))
    found = [float(each.get("width", "0")) for each in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(found) == 2 and found[1] == pytest.approx(2 * found[0], abs=0.2)
    assert max(found) + 250 <= 720


def test_the_collector_looks_less_often_and_then_as_before() -> None:
    before = gc.get_threshold()
    with seldom_collecting():
        assert gc.get_threshold() == (max(before[0], ALLOCATIONS), *before[1:])
    assert gc.get_threshold() == before


def test_a_collector_that_is_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0, *before[1:])
    try:
        with seldom_collecting():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
