"""What a person writes in one expression is one; what is read again, or long, has a line of its own."""

from __future__ import annotations

import pytest
from steps_of_text import steps_of, text_of

from interlingua.codegen.nesting import nested
from interlingua.codegen.steps import MARK

TOGETHER = {
    "a chain of numbers": (
        "a = x * 2.0\nb = a / 15.0\nz = b - 1.0",
        "z = x * 2.0 / 15.0 - 1.0",
    ),
    "a difference in a product": ("a = 1.0 - x\nz = a * y", "z = (1.0 - x) * y"),
    "a call in a sum": ("a = self.conv(x)\nz = a + x", "z = self.conv(x) + x"),
    "a method of a call": ("a = self.conv(x)\nz = a.flatten(2)", "z = self.conv(x).flatten(2)"),
}
APART = {
    "sums of values": "a = x + y\nz = a + w",
    "what is read twice": "a = x * 2.0\nz = a - a",
    "what is read later too": "a = x * 2.0\nb = a @ y\nz = b @ a",
    "long ones": "a = self.embeddings.positions_of_rows[:, :size] * 0.125\nz = a + x",
    "something between": "a = x * 2.0\nb = x @ y\nz = a - b",
}


@pytest.mark.parametrize("name", TOGETHER)
def test_one_expression(name: str) -> None:
    before, after = TOGETHER[name]
    assert text_of(nested(steps_of(before), [f"{MARK}z"], lambda _: False)) == after


@pytest.mark.parametrize("name", APART)
def test_lines_of_their_own(name: str) -> None:
    assert text_of(nested(steps_of(APART[name]), [f"{MARK}z"], lambda _: False)) == APART[name]
