"""Labels of axes, as Python and the command line say them."""

from __future__ import annotations

from typing import Any

import pytest

import interlingua
from interlingua.dynamic_axes import dynamic_axes


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, {}),
        ({"x": {0: "batch"}}, {"x": {0: "batch"}}),
        ("x:0=batch, 3=width", {"x": {0: "batch", 3: "width"}}),
        (["0=batch"], {"": {0: "batch"}}),
        ("x:-1=width", {"x": {-1: "width"}}),
        (("layer:x:1=length", "y:0=batch"), {"layer:x": {1: "length"}, "y": {0: "batch"}}),
    ],
)
def test_a_dictionary_and_texts_say_the_same(said: Any, found: dict[str, dict[int, str]]) -> None:
    assert dynamic_axes(said) == found


@pytest.mark.parametrize("said", ["x", "x:batch", "x:0=", "x:0=two words", {"x": ["batch"]}, {"x": {"0": "a"}}])
def test_anything_else_is_refused_in_words(said: Any) -> None:
    with pytest.raises(interlingua.InterlinguaError, match="Expected dynamic axes such as 'x:0=batch,3=width'"):
        dynamic_axes(said)
