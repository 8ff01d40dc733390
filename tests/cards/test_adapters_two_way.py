"""Every adapter that cards use both ways is both ways: what is lowered is read back, and the other way round."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlingua import adapters
from interlingua.adapters import WORDS, same_pads
from interlingua.cards import REQUIRED, Card, Facts, Kind, Parameter, cards
from interlingua.errors import Unsupported
from interlingua.records.cases import cases
from interlingua.tables.calls import Call, call, filled
from interlingua.tables.sources import readable

RANKS = st.integers(1, 3)
NUMBERS = st.integers(0, 9)
SHARES = st.integers(0, 1000).map(lambda n: n / 1000)
NOTHING = Facts("Conv", {})


def windows(rank: int, **more: Any) -> Facts:
    return Facts(
        "MaxPool", {"kernel_shape": [3] * rank, "strides": [1] * rank, "dilations": [1] * rank, **more}, rank, {}
    )


def there_and_back(parameter: Parameter, value: Any, facts: Facts) -> None:
    """The canonical value comes back from the argument, and the argument from what it was read as."""
    assert parameter.adapter.read is not None
    said = parameter.adapter.lower(value, facts)
    assert parameter.adapter.read(said, facts) == value
    assert parameter.adapter.lower(parameter.adapter.read(said, facts), facts) == said


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.lists(st.integers())))
def test_same(value: Any) -> None:
    there_and_back(adapters.same("x"), value, NOTHING)
    there_and_back(adapters.counted("x"), value, NOTHING)


@pytest.mark.parametrize("make", [adapters.flag, adapters.flip])
@pytest.mark.parametrize("value", [0, 1])
def test_flags(make: Callable[..., Parameter], value: int) -> None:
    there_and_back(make("x"), value, NOTHING)


@given(SHARES)
def test_one_minus(value: float) -> None:
    there_and_back(adapters.one_minus("x"), value, NOTHING)


@given(st.data(), RANKS)
def test_numbers_by_axis(data: st.DataObject, rank: int) -> None:
    value = data.draw(st.lists(NUMBERS, min_size=rank, max_size=rank))
    for make in (adapters.per_axis, adapters.each_axis, adapters.with_edges):
        there_and_back(make("x"), value, windows(rank))
    there_and_back(adapters.with_edges("x", data="N C *"), value, windows(rank))


@given(st.data(), RANKS)
def test_strides_whose_default_is_the_kernel(data: st.DataObject, rank: int) -> None:
    value = data.draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    there_and_back(adapters.stride_or_kernel("x"), value, windows(rank))


@given(st.data(), RANKS)
def test_pads_alike_at_both_ends(data: st.DataObject, rank: int) -> None:
    begin, end = (data.draw(st.lists(NUMBERS, min_size=rank, max_size=rank)) for _ in range(2))
    there_and_back(adapters.halves("x"), begin * 2, windows(rank))
    assume(begin != end)
    with pytest.raises(Unsupported):
        adapters.halves("x").adapter.lower(begin + end, windows(rank))


@given(st.data(), RANKS)
def test_pads_by_a_word(data: st.DataObject, rank: int) -> None:
    sizes, kernel, strides = (
        data.draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))
        for low, high in ((5, 12), (1, 4), (1, 3))
    )
    facts = Facts(
        "Conv", {"kernel_shape": kernel, "strides": strides, "dilations": [1] * rank}, rank, {"X": (1, 1, *sizes)}
    )
    same = same_pads(facts)
    assert same is not None
    policy = adapters.policy("x", "valid", same="same", valid="valid")
    assert policy.adapter.read is not None
    assert policy.adapter.read(policy.adapter.lower([0] * 2 * rank, facts), facts) == "VALID"
    assert policy.adapter.read(policy.adapter.lower(same, facts), facts) == ("SAME_UPPER" if any(same) else "VALID")
    with pytest.raises(Unsupported):
        policy.adapter.lower([pad + 1 for pad in same], facts)


@given(st.sampled_from(["none", "mean", "sum"]))
def test_words(value: str) -> None:
    there_and_back(adapters.choice("x", none="no", mean="average", sum="sum"), value, NOTHING)


def test_words_and_values_without_counterpart_are_refused_both_ways() -> None:
    words = adapters.choice("x", mean="average").adapter
    only = adapters.only("x", 1).adapter
    assert words.read is not None and only.read is not None
    for attempt in (
        lambda: words.lower("sum", NOTHING),
        lambda: words.read("sum", NOTHING),
        lambda: only.lower(2, NOTHING),
        lambda: only.read(2, NOTHING),
    ):
        with pytest.raises(Unsupported):
            attempt()
    there_and_back(adapters.only("x", -1, canonical=1), 1, NOTHING)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=4, unique=True))
def test_axes(value: list[int]) -> None:
    there_and_back(adapters.axes("x"), value, NOTHING)
    there_and_back(adapters.single("x"), value[:1], NOTHING)
    there_and_back(adapters.axes("x"), None, NOTHING)


@given(st.integers(0, 6).map(lambda n: 2 * n + 1), SHARES)
def test_windows_of_lrn(size: int, alpha: float) -> None:
    there_and_back(adapters.radius("x"), size, NOTHING)
    said = adapters.by_size("x").adapter
    facts = Facts("LRN", {"size": size})
    assert said.read is not None
    assert said.read(said.lower(alpha, facts), facts) == pytest.approx(alpha, rel=1e-9)
    with pytest.raises(Unsupported):
        adapters.radius("x").adapter.lower(size + 1, NOTHING)


def test_what_another_argument_tells_is_neither_said_nor_read() -> None:
    told = adapters.told_otherwise("the weight's shape")
    assert told.adapter.lower([3, 3], NOTHING) == told.default and told.adapter.read is None


def test_every_adapter_of_core_is_under_test_here() -> None:
    tested = {
        "same",
        "counted",
        "flag",
        "flip",
        "one_minus",
        "per_axis",
        "each_axis",
        "stride_or_kernel",
        "halves",
        "policy",
        "choice",
    }
    assert set(WORDS) == tested | {"only", "single", "axes", "by_size", "radius", "with_edges", "told_otherwise"}


@pytest.mark.parametrize("framework", ["caffe", "fluid", "keras", "onnx", "paddle", "tensorflow", "torch"])
def test_what_a_card_says_of_a_case_is_read_back(framework: str) -> None:
    assert framework in readable()
    wrong = []
    for row in cases():
        if row.default_call or f"{framework} called" in row.unproved:
            continue
        made = call(row)
        for card in (c for c in cards(framework) if c.record == row.record and c.read and c.kind is not Kind.SERIAL):
            told = read_back(card, made)
            if told is not None and not same_result(card, made, told):
                wrong.append(f"{row.record}, {row.name}, {card.api}: {told}")
    assert not wrong


def read_back(card: Card, made: Call) -> dict[str, Any] | None:
    """The canonical parameters that the card reads from what it says itself; None where it cannot say the case."""
    facts = dataclasses.replace(made.facts, constants=frozenset(made.arrays))
    try:
        said = card.lower(facts)
    except Unsupported:
        return None
    rank = {k: v for k, v in facts.values.items() if k == "input_rank"}
    read = card.read_arguments(said, Facts(card.record, rank, facts.rank, facts.shapes))
    if isinstance(read.get("pads"), str):
        none = [0] * (2 * facts.rank)
        same = same_pads(dataclasses.replace(facts, values={**facts.values, **read}))
        read["pads"] = none if read["pads"] == "VALID" else same
    return read


def same_result(card: Card, made: Call, read: dict[str, Any]) -> bool:
    """Whether the parameters mean the same as the case's: nothing but the numbers they lead to can tell.

    What a weight's shape and axis order tell is no parameter of the call and is kept.
    """
    told = {name for name, p in card.parameters.items() if p.adapter.read is None or p.adapter.name.startswith("told")}
    weights = {name for name in ("transB", "kernel_shape", "size") if name not in card.parameters} | {"transB"}
    kept = {name: value for name, value in made.values.items() if name in told | weights}
    if "pads" in read and "axes" in kept:
        count, padded = len(made.expected.shape), len(read["pads"]) // 2
        kept["axes"] = None if padded == count else list(range(count - padded, count))
    values = filled(made.case.record, {**read, **kept}, made.case.rank)
    if "has_bias" in read:
        values["has_bias"] = read["has_bias"]
    try:
        result = made.result(values)
    except (ValueError, IndexError):
        return False
    return result.shape == made.expected.shape and np.allclose(result, made.expected, rtol=1e-6, atol=1e-9)


def test_what_must_be_said_has_no_default() -> None:
    assert repr(REQUIRED) == "required"
