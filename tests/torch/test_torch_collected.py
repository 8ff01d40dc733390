"""Values that are computed alike and put together are a comprehension or a loop; what is nearly so stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch_collected_nets as nets
from generated import Generated
from steps_of_text import steps_of, text_of

from interlingua.codegen.collected import collected
from interlingua.codegen.dataflow import Dataflow
from interlingua.codegen.steps import MARK

pytestmark = pytest.mark.slow

AXES = {f"{MARK}x": (2, 5, 8), f"{MARK}y": (2, 8)}
SIZES = {"convs": 3, "more": 4}


def _collected(text: str, outputs: Sequence[str] = ("z",), taken: Sequence[str] = ()) -> str:
    flow = Dataflow(steps_of(text), [f"{MARK}{name}" for name in outputs], AXES)
    return text_of(collected(flow, SIZES, taken))


def _listed(*items: str) -> str:
    """A statement for each item, and one that puts them together."""
    rows = [f"v{number} = {item}" for number, item in enumerate(items)]
    return "\n".join([*rows, f"z = torch.stack([{', '.join(f'v{number}' for number in range(len(items)))}], dim=1)"])


def _summed(*items: str) -> str:
    *rows, _ = _listed(*items).splitlines()
    return "\n".join([*rows, f"z = {' + '.join(f'v{number}' for number in range(len(items)))}"])


ALIKE = {
    "a counter": (
        _listed(*(f"torch.tanh(x[:, {i}])" for i in range(4))),
        "z = torch.stack([torch.tanh(x[:, i]) for i in range(4)], dim=1)",
    ),
    "bounds that the code leaves out, and a step": (
        _listed("torch.tanh(x[..., :4])", "torch.tanh(x[..., 2:6])", "torch.tanh(x[..., 4:])"),
        "z = torch.stack([torch.tanh(x[..., i:i + 4]) for i in range(0, 5, 2)], dim=1)",
    ),
    "bounds by a size": (
        _listed("torch.tanh(x[:, :size])", "torch.tanh(x[:, 1:size + 1])", "torch.tanh(x[:, 2:size + 2])"),
        "z = torch.stack([torch.tanh(x[:, i:size + i]) for i in range(3)], dim=1)",
    ),
    "numbers that go on by steps of their own": (
        _listed(*(f"F.max_pool2d(x, {2 * i + 3}, padding={i + 1})" for i in range(4))),
        "z = torch.stack([F.max_pool2d(x, 3 + 2 * i, padding=i + 1) for i in range(4)], dim=1)",
    ),
    "numbers that fall": (
        _listed(*(f"torch.tanh(x[:, {4 - i}])" for i in range(4))),
        "z = torch.stack([torch.tanh(x[:, i]) for i in range(4, 0, -1)], dim=1)",
    ),
    "two counters": (
        _listed(*(f"torch.tanh(x[:, {i}, {j}])" for i in (0, 2) for j in (1, 2, 3))),
        "z = torch.stack([torch.tanh(x[:, i, j]) for i in range(0, 3, 2) for j in range(1, 4)], dim=1)",
    ),
    "a row of what is put together": (
        _listed("torch.relu(y)", *(f"torch.tanh(x[:, {i}])" for i in range(4)), "torch.relu(x)"),
        "v0 = torch.relu(y)\nv5 = torch.relu(x)\n"
        "z = torch.stack([v0, *(torch.tanh(x[:, i]) for i in range(4)), v5], dim=1)",
    ),
    "the parts of a value": (
        "a, b, c = x.chunk(3, dim=1)\n" + _listed("F.gelu(a).mean(1)", "F.gelu(b).mean(1)", "F.gelu(c).mean(1)"),
        "z = torch.stack([F.gelu(part).mean(1) for part in x.chunk(3, dim=1)], dim=1)",
    ),
    "the layers of a list": (
        "a, b, c = x.chunk(3, dim=1)\n" + _listed("self.convs[0](a)", "self.convs[1](b)", "self.convs[2](c)"),
        "z = torch.stack([conv(part) for conv, part in zip(self.convs, x.chunk(3, dim=1), strict=True)], dim=1)",
    ),
    "some layers of a list": (
        _listed("self.more[0](x[:, 0])", "self.more[1](x[:, 1])", "self.more[2](x[:, 2])"),
        "z = torch.stack([self.more[i](x[:, i]) for i in range(3)], dim=1)",
    ),
    "values one by one": (
        _listed(
            "F.interpolate(a, scale_factor=2)", "F.interpolate(b, scale_factor=2)", "F.interpolate(x, scale_factor=2)"
        ),
        "z = torch.stack([F.interpolate(part, scale_factor=2) for part in (a, b, x)], dim=1)",
    ),
    "a sum": (
        _summed(*(f"torch.tanh(x[:, {i}])" for i in range(4))),
        "z = sum([torch.tanh(x[:, i]) for i in range(4)])",
    ),
    "a sum in statements, from a zero": (
        "a = torch.tanh(x[:, 0])\nb = a + 0.0\nc = b + torch.tanh(x[:, 1])\nz = c + torch.tanh(x[:, 2])",
        "z = sum([torch.tanh(x[:, i]) for i in range(3)])",
    ),
    "a sum that begins and ends otherwise": (
        "v0 = torch.tanh(x[:, 0])\nv1 = torch.tanh(x[:, 1])\nv2 = torch.tanh(x[:, 2])\nz = y + v0 + v1 + v2 + w",
        "z = sum([torch.tanh(x[:, i]) for i in range(3)], y) + w",
    ),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_alike_is_said_once(name: str) -> None:
    before, after = ALIKE[name]
    assert _collected(before) == after


ROW = [f"torch.tanh(x[:, {i}])" for i in range(4)]
NEARLY = {
    "two": _listed(*ROW[:2]),
    "numbers that do not go on evenly": _listed(*(f"torch.tanh(x[:, {i}])" for i in (0, 1, 3, 4))),
    "four corners": _listed(*(f"torch.tanh(x[:, {i}::2, {j}::2])" for i in (0, 1) for j in (0, 1))),
    "another function": _listed(*ROW[:2], "torch.relu(x[:, 2])", *ROW[2:]),
    "another operand": _listed(*ROW[:2], "torch.tanh(y[:, 2])", *ROW[2:3]),
    "numbers that are no whole ones": _listed(*(f"torch.tanh(x * {i}.5)" for i in range(4))),
    "truth values": _listed(*(f"torch.mean(x, {i == 1})" for i in range(4))),
    "an end that is not known": _listed(
        *("torch.tanh(w[..., :4])", "torch.tanh(w[..., 2:6])", "torch.tanh(w[..., 4:])")
    ),
    "an end of another size": _listed(*("torch.tanh(x[..., :3])", "torch.tanh(x[..., 2:5])", "torch.tanh(x[..., 4:])")),
    "a row as it is": "z = torch.stack([a, b, c], dim=1)",
    "layers with names": _listed("self.first(x)", "self.second(x)", "self.third(x)"),
    "a sum of turns of which each is read": "a = x + torch.tanh(x)\nb = a + torch.tanh(a)\nz = b + torch.tanh(b)",
}


@pytest.mark.parametrize("name", NEARLY)
def test_what_is_nearly_alike_stays(name: str) -> None:
    assert _collected(NEARLY[name]) == NEARLY[name]


def test_what_is_read_elsewhere_stays() -> None:
    text = _listed(*ROW)
    assert _collected(text, outputs=("z", "v2")) == text
    text += "\nw = torch.relu(v3)"
    assert _collected(text, outputs=("z", "w")).count("torch.tanh(x[:, i])") == 1
    assert "v3 = torch.tanh(x[:, 3])" in _collected(text, outputs=("z", "w"))
    assert _collected(_listed(*ROW), taken=("i", "j")).endswith("torch.tanh(x[:, k]) for k in range(4)], dim=1)")


def test_parts_that_something_else_reads_too_are_named() -> None:
    text = "a, b, c = x.chunk(3, dim=1)\n" + _listed("F.gelu(a).mean(1)", "F.gelu(b).mean(1)", "F.gelu(c).mean(1)")
    said = _collected(f"{text}\nw = torch.relu(a)", outputs=("z", "w"))
    assert "a, b, c = x.chunk(3, dim=1)" in said.replace("(a, b, c) =", "a, b, c =")
    assert "for part in (a, b, c)]" in said


def test_parts_that_nothing_reads_are_left_out() -> None:
    text = "a, b, c, _ = x.chunk(4, dim=1)\n" + _listed("F.gelu(a).mean(1)", "F.gelu(b).mean(1)", "F.gelu(c).mean(1)")
    assert "for part in (a, b, c)]" in _collected(text)


def test_displacements_are_two_counters(tmp_path: Path) -> None:
    made = Generated(nets.Correlation(), (torch.randn(2, 3, 8, 10), torch.randn(2, 3, 8, 10)), tmp_path / "out")
    text = made.proved().text
    assert ":, i : i + 8, j : j + 10]" in text or "[..., i : i + 8, j : j + 10]" in text
    assert "for i in range(0, 7, 3)" in text and "for j in range(0, 9, 2)" in text
    assert text.count("mean(") == 1 and len(text.splitlines()) < 40


def test_only_pools_that_grow_evenly_are_said_once(tmp_path: Path) -> None:
    text = Generated(nets.Pyramid(), (torch.randn(2, 3, 16, 16),), tmp_path / "out").proved().text
    assert "*(F.max_pool2d(x, 5 + 4 * i, stride=1, padding=2 + 2 * i) for i in range(3))" in text
    assert text.count("max_pool2d(") == 1 and text.count("pool2d(") == 4


def test_groups_sums_and_windows(tmp_path: Path) -> None:
    made = Generated(nets.Groups(), (torch.randn(2, 12, 12),), tmp_path / "out").proved()
    assert "[head(F.gelu(part)) for head, part in zip(self.heads, x.chunk(4, dim=2), strict=True)]" in made.text
    assert "sum([torch.sigmoid(x[:, i]) * x[:, i + 4] for i in range(4)])" in made.text
    whole = "\n".join(made.lines("Model"))
    assert "for i in range(5):" in whole and "features.append(" in whole
    assert whole.count("torch.tanh(") == 1


def test_each_value_keeps_its_own_part_where_nothing_reads_the_others(tmp_path: Path) -> None:
    Generated(nets.Crossed(), (torch.randn(2, 6),), tmp_path / "out").proved()
