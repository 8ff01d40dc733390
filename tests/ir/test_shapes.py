"""Dimension expressions: normal form, text and back, values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlingua.ir.shapes import DimensionError, dimension, parse

SIZES = {"N": 7, "height": 13, "a b": 5}
leaves = st.sampled_from([*SIZES]).map(dimension) | st.integers(1, 9).map(dimension)


def combined(inner):
    def build(kind, left, right):
        if kind == "//" or kind == "%":
            divisor = right if right.evaluate(SIZES) > 0 else dimension(3)
            return left // divisor if kind == "//" else left % divisor
        if kind in ("max", "min"):
            return left.extreme(right, kind)
        return {"+": left + right, "-": left - right, "*": left * right}[kind]

    return st.builds(build, st.sampled_from(["+", "-", "*", "//", "%", "max", "min"]), inner, inner)


expressions = st.recursive(leaves, combined, max_leaves=6)


@given(expressions)
def test_text_and_back(expression):
    again = parse(str(expression))
    assert again.evaluate(SIZES) == expression.evaluate(SIZES)
    assert str(parse(str(again))) == str(again)


@given(expressions)
def test_the_text_is_python(expression):
    spelled = expression.text(lambda name: f"sizes[{name!r}]")
    assert eval(spelled, {"sizes": SIZES, "max": max, "min": min}) == expression.evaluate(SIZES)


@given(expressions, expressions)
def test_sums_and_products_commute(left, right):
    assert left + right == right + left
    assert left * right == right * left
    assert (left + right) - right == left


def test_what_codegen_prints():
    n, h = dimension("N"), dimension("H")
    assert str(n * 2) == "2 * N"
    assert str((h + 1) // 2 + 1) == "(H + 1) // 2 + 1"
    assert str(n * h * 4 // (h * 2)) == "2 * N"
    assert (n * 8 // 2).text(lambda name: "x.shape[0]") == "4 * x.shape[0]"
    assert dimension("batch size").symbols == ("batch size",)
    assert (n - n).number == 0


@pytest.mark.parametrize("text", ["", "N +", "f(N)", "N ** 2", "N.size", "1.5", "__import__('os')", "N / 2"])
def test_other_text_is_refused(text):
    with pytest.raises(DimensionError):
        parse(text)


def test_a_missing_size_is_named():
    with pytest.raises(DimensionError, match="'H'"):
        dimension("H").evaluate(SIZES)
