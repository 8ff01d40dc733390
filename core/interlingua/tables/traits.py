"""The closed vocabulary of behaviour: every trait that a card may state, what it means, and the values it takes.

Two cards that state different values of one trait differ in behaviour. A case decides it where `case` names one
(record, then the case's name).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Trait:
    """What a trait tells, and its possible values; `case` is the one in which APIs of different values differ."""

    meaning: str
    values: tuple[str, ...]
    case: tuple[str, str] | None = None


_SAID = "to be said"

TRAITS: Mapping[str, Trait] = {
    "0": Trait("what a 0 in a new shape stands for", ("the size of that axis before",), ("Reshape", "copied axes")),
    "activation": Trait("whether an activation may be part of the call", ("may be fused by name",)),
    "all axes": Trait(
        "what a reduction over all axes gives",
        ("the result has the shape [1]",),
        ("ReduceMean", "everything, to a number"),
    ),
    "alpha": Trait("how the factor of the sum is meant", ("divided by the window's size",), ("LRN", "default factors")),
    "an axis not of size 1": Trait("what happens to it when it is to be squeezed", ("stays",)),
    "axes before": Trait(
        "what happens to the axes before the flattened ones", ("stay as they are",), ("Flatten", "in the middle")
    ),
    "axis default": Trait(
        "the axis where none is said",
        ("1", "the last", _SAID, "0 for one or three axes, else 1"),
        ("Softmax", "default axis"),
    ),
    "axis −1": Trait(
        "how operands are aligned", ("numpy's broadcasting; another axis says where y's first axis stands in x",)
    ),
    "base −1": Trait("what a base of −1 stands for", ("e",)),
    "batch axis": Trait("whether a declared shape has the batch axis", ("left out",)),
    "bias": Trait("whether there is a bias", ("on by default", "off by default", "none"), ("Conv", "no bias")),
    "broadcasting": Trait("whether operands of different shapes are taken", ("none",)),
    "call": Trait("how several tensors are given", ("on a list",)),
    "channel of a place in the block": Trait(
        "what a channel of the deep form holds", ("channel first, then the place",)
    ),
    "epsilon default": Trait("the epsilon where none is said", ("the element type's",)),
    "gates": Trait("the order of the gates in the weights", ("input, forget, cell, output", "reset, update, new")),
    "mode of volumes": Trait("what interpolation along three axes is called", ("bilinear stands for trilinear",)),
    "negative indices": Trait("what an index below 0 is", ("out of range",)),
    "scale and shift": Trait("whether a normalization learns them", ("off by default",)),
    "checked": Trait("whether what is fed is checked", ("what is fed must have this shape and type",)),
    "class axis": Trait("the axis of the classes", ("1", "the last"), ("softmax_cross_entropy", "mean")),
    "dropout_implementation": Trait(
        "when the others are scaled",
        ("the default, downgrade_in_infer, scales by 1 − p at inference, not in training",),
    ),
    "dtype": Trait("the element type", ("float32",)),
    "gradient": Trait(
        "where gradients go", ("stop_gradient=False lets it reach the input", "to logits and labels", "to logits only")
    ),
    "input": Trait(
        "what a dense layer does with more than two axes",
        ("flattened from axis on", "flattened from num_flatten_dims on", "of any rank, over its last axis"),
    ),
    "labels": Trait(
        "what labels are",
        (
            "class numbers",
            "probabilities",
            "class numbers, or probabilities where soft_label says so",
            "class numbers, or probabilities where the dtype is floating",
        ),
        ("softmax_cross_entropy", "probabilities, each sample"),
    ),
    "mean denominator": Trait(
        "what a mean is divided by",
        ("the window with its padding", "the window without its padding", "samples that count", "all samples"),
        ("AveragePool", "default mean of padded windows"),
    ),
    "momentum": Trait(
        "what momentum weighs in the running statistics",
        ("weight of the old value", "weight of the new value", "none: the program keeps running statistics"),
    ),
    "output size": Trait("how the output's size is told", ("given in full",), ("ConvTranspose", "output padding")),
    "pad": Trait("which padding can be said", ("symmetric", "each end by itself", "a word"), ("Conv", "four pads")),
    "returns": Trait(
        "what is returned",
        (
            "scalar mean",
            "one loss a sample",
            "one loss a sample, the class axis kept with size 1",
            "output, mean, variance",
        ),
        ("softmax_cross_entropy", "default reduction"),
    ),
    "running variance": Trait("the estimate that the running variance collects", ("biased", "unbiased")),
    "size": Trait("how the output's size is rounded", ("rounded up",), ("MaxPool", "default rounding")),
    "sizes": Trait("how sizes are said", ("one field, or *_h and *_w",)),
    "slope": Trait(
        "how many slopes there are",
        (
            "`mode` says how many: all, channel, element",
            "one for each element unless shared_axes says which axes share",
        ),
    ),
    "start default": Trait("the first axis that is joined", ("0: all axes are joined",), ("Flatten", "image")),
    "statistics": Trait("how statistics are stored", ("stored times blobs[2], their running weight",)),
    "stride default": Trait(
        "the stride where none is said", ("1", "the window's size", _SAID), ("MaxPool", "default stride")
    ),
    "training default": Trait(
        "what it does when nobody says whether it trains",
        (
            "the batch's own statistics until told otherwise",
            "drops unless told not to",
        ),
    ),
    "unknown axis": Trait(
        "how an axis of unknown size is declared",
        (
            "none: every size is said; the runtime may reshape",
            "None",
            "None or −1",
            "−1; a batch axis is put in front unless one is −1 or append_batch_size=False",
            "a name (dim_param) or nothing",
            "Dim('n') for that axis at export",
        ),
    ),
    "use_global_stats default": Trait("which statistics are used", ("true at test, false in training",)),
    "whole numbers": Trait("what dividing whole numbers gives", ("the quotient is a float",)),
    "writes": Trait("how the layer is written", ("by name",)),
    "zero in the shape": Trait("what a 0 in a new shape stands for", ("the input's axis",), ("Reshape", "copied axes")),
}


def problems(traits: Mapping[str, str]) -> list[str]:
    """What of a card's traits is not in the vocabulary."""
    found = [f"no trait is called {name!r}" for name in traits if name not in TRAITS]
    return found + [
        f"{name} is never {value!r}"
        for name, value in traits.items()
        if name in TRAITS and value not in TRAITS[name].values
    ]
