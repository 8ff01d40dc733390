"""Origin expressions: text and back, values, simplification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlingua.ir.origin import (
    Call,
    Constant,
    OriginError,
    Parameter,
    evaluate,
    is_permutation,
    parameters,
    parse,
    reshape,
    shape_after,
    simplified,
    transpose,
)

numbers = st.lists(st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4)
leaves = st.text(min_size=1).map(Parameter) | st.text(min_size=1).map(Constant)
expressions = st.recursive(
    leaves,
    lambda inner: st.builds(
        Call,
        st.sampled_from(["transpose", "reshape", "slice", "concat", "multiply", "to_float16"]),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        numbers.map(tuple),
    ),
    max_leaves=6,
)


@given(expressions)
def test_text_and_back(expression):
    assert parse(str(expression)) == expression


@pytest.mark.parametrize(
    "text",
    ["", "f(x)", "transpose(", "transpose(x, 1", "transpose()", "x y", "3", '"x', "add(1, x)", "constant(x, 1)", "@"],
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(OriginError):
        parse(text)


def test_plain_text():
    expression = Call("transpose", (Parameter("conv1/weights"),), (3, 2, 0, 1))
    assert str(expression) == "transpose(conv1/weights, 3, 2, 0, 1)"
    assert str(Parameter("a b(c)")) == '"a b(c)"'
    assert str(Parameter("12")) == '"12"'


def test_values():
    a, b = np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.ones((2, 3, 4), np.float32)
    arrays = {"a": a, "b": b}
    cases = {
        "transpose(a, 2, 0, 1)": a.transpose(2, 0, 1),
        "reshape(a, 6, -1)": a.reshape(6, 4),
        "slice(a, 1, 1, 3)": a[:, 1:3],
        "slice(a, 2, 3, -1, -1)": a[:, :, ::-1],
        "take(a, 1, 2, 0)": a[:, [2, 0]],
        "flip(a, 0)": a[::-1],
        "concat(a, b, 1)": np.concatenate([a, b], 1),
        "add(a, b)": a + b,
        "multiply(a, 0.1)": a * np.float32(0.1),
        "broadcast(a, 5, 2, 3, 4)": np.broadcast_to(a, (5, 2, 3, 4)),
        "to_int64(a)": a.astype(np.int64),
        "sqrt(negative(negative(a)))": np.sqrt(a),
    }
    for text, expected in cases.items():
        found = evaluate(parse(text), arrays)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected), text
        origin, shapes = parse(text), [(2, 3, 4)]
        operands = origin.operands if isinstance(origin, Call) else ()
        if all(isinstance(each, Parameter) for each in operands):
            assert shape_after(origin.function, shapes * len(operands), origin.numbers) == expected.shape, text
    with pytest.raises(OriginError, match="'c'"):
        evaluate(parse("add(a, c)"), arrays)


@pytest.mark.parametrize(
    "text", ["concat(a, b, -1)", "slice(a, -1, 0, 2)", "take(a, -2, 1, 0)", "add(c, a)", "multiply(a, c)"]
)
def test_shapes_of_axes_from_the_end_and_of_operands_that_broadcast(text):
    arrays = {"a": np.ones((2, 3, 4)), "b": np.ones((2, 3, 5)), "c": np.ones((3, 1))}
    origin = parse(text)
    shapes = [arrays[each.name].shape for each in origin.operands]
    assert shape_after(origin.function, shapes, origin.numbers) == evaluate(origin, arrays).shape


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_joined_transposes_are_one(first, second):
    both = transpose(transpose(Parameter("w"), *first), *second)
    array = np.arange(120).reshape(2, 3, 4, 5)
    assert np.array_equal(evaluate(both, {"w": array}), array.transpose(first).transpose(second))
    assert str(both).count("transpose") <= 1


def test_simplification():
    w = Parameter("w")
    assert transpose(transpose(w, 1, 0), 1, 0) == w
    assert reshape(reshape(w, 2, 6), 3, 4) == Call("reshape", (w,), (3, 4))
    kept = Call("transpose", (Call("reshape", (w,), (2, 6)),), (1, 0))
    assert simplified(kept) == kept


def test_what_only_moves_values():
    assert is_permutation(parse("reshape(transpose(w, 1, 0), 4)"))
    assert not is_permutation(parse("slice(w, 0, 1, 2)"))
    assert not is_permutation(parse("add(w, v)"))
    assert not is_permutation(parse("constant(w)"))


def test_parameters_are_named_once():
    assert parameters(parse("concat(b, transpose(a, 1, 0), b, constant(c), 0)")) == ("b", "a")
