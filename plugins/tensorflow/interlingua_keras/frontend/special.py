"""What a card's data cannot say of an op when it is read: weights completed, and calls spelled out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.cards import Card, Facts
from interlingua.codegen.weights import Weight
from interlingua.ir.build import Builder
from interlingua.ir.facts import known, shape_of
from interlingua_keras.frontend.shapes import infer

Tensors = Mapping[str, Sequence[ir.Value]]
Weights = Mapping[str, ir.Value]


def normalization(builder: Builder, card: Card, tensors: Tensors, weights: Weights, place: str) -> Weights:
    """Gives a normalization without scale or center ones or zeros instead."""
    mean = weights[card.weights["input_mean"].name]
    (count,) = known(shape_of(mean)) or [0]
    whole = dict(weights)
    for name, fill in (("scale", np.ones), ("B", np.zeros)):
        slot = card.weights[name].name
        if slot not in whole:
            whole[slot] = builder.constant(f"{place}.{slot}", fill(count, np.float32))
    return whole


def slope(builder: Builder, card: Card, tensors: Tensors, weights: Weights, place: str) -> Weights:
    """Puts the channels of a slope first, as ONNX broadcasts it; Keras has them last, without the batch."""
    name = card.weights["slope"].name
    count = len(known(shape_of(weights[name])) or ())
    if count < 2:
        return weights
    order = (count - 1, *range(count - 1))
    return {**weights, name: builder.rearranged(Weight(weights[name]).then(("transpose", order)))}


def dense(
    builder: Builder, card: Card, arguments: Mapping[str, Any], tensors: Tensors, weights: Weights, place: str
) -> ir.Value | None:
    """Replaces a dense layer on more than two axes by `Add(MatMul(x, kernel), bias)`."""
    (data,) = tensors["A"]
    if len(shape_of(data) or ()) == 2:
        return None
    card.read_arguments(arguments, Facts(card.record, {}))
    kernel, bias = card.weights["B"].name, card.weights["C"].name
    value = builder.record("MatMul", {"A": [data], "B": [weights[kernel]]}, {}, layer=place)
    infer(value, place)
    if bias in weights:
        value = builder.record("Add", {"A": [value], "B": [weights[bias]]}, {}, layer=place)
    return value


WEIGHTS: Mapping[str, Callable[[Builder, Card, Tensors, Weights, str], Weights]] = {
    "BatchNormalization": normalization,
    "PRelu": slope,
}
CALLS: Mapping[str, Callable[[Builder, Card, Mapping[str, Any], Tensors, Weights, str], ir.Value | None]] = {
    "Gemm": dense
}
