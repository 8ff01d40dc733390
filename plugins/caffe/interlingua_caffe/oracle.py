"""What OpenCV 4.14, the only runtime of Caffe networks there is, computes as Caffe does, and what not.

Standard library alone, since the runtime loads this file by its path in an interpreter that has no package of ours.
Measured against Caffe's formulas; `tests/caffe/test_oracle.py` holds OpenCV to each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

RUNS = frozenset(
    [
        "AbsVal",
        "BNLL",
        "BatchNorm",
        "Concat",
        "Convolution",
        "ConvolutionDepthwise",
        "Crop",
        "Deconvolution",
        "Dropout",
        "ELU",
        "Eltwise",
        "Exp",
        "Flatten",
        "Input",
        "InnerProduct",
        "Interp",
        "LRN",
        "Log",
        "MVN",
        "Normalize",
        "PReLU",
        "Permute",
        "Pooling",
        "Power",
        "PriorBox",
        "ReLU",
        "ReLU6",
        "Reshape",
        "ROIPooling",
        "Scale",
        "ShuffleChannel",
        "Sigmoid",
        "Silence",
        "Slice",
        "Softmax",
        "Split",
        "TanH",
    ]
)


class Deviation(NamedTuple):
    """A field that OpenCV takes otherwise than Caffe unless it is unsaid or one of `faithful`, and what it does."""

    layer: str
    field: str
    faithful: tuple[str, ...]
    fact: str


DEVIATIONS = (
    Deviation("Deconvolution", "convolution_param.dilation", ("1",), "it computes without dilation"),
    Deviation("LRN", "lrn_param.k", ("1", "1.0"), "it computes with k = 1"),
    Deviation("Log", "log_param.base", ("-1", "-1.0"), "it computes the natural logarithm"),
    Deviation("Log", "log_param.scale", ("1", "1.0"), "it ignores the scale"),
    Deviation("Log", "log_param.shift", ("0", "0.0"), "it ignores the shift"),
    Deviation("Pooling", "pooling_param.pool", ("MAX", "AVE", "0", "1"), "it refuses it"),
    Deviation("BatchNorm", "batch_norm_param.use_global_stats", ("true", "1"), "it normalizes otherwise"),
)


TO_BE_SAID = {"LRN": "lrn_param.alpha"}
"""Fields for which OpenCV has another default than Caffe: a network given to it says them."""


KERNEL_AXES = "kernel axes"
"""Not a field: how many spatial axes the kernel has, where whoever asks can tell."""
RANKS = {"Deconvolution": ("2",)}


def unproved(layers: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[str]:
    """One sentence for each layer that OpenCV cannot prove; a layer is its name, type and fields by dotted path."""
    found = []
    for name, kind, fields in layers:
        if kind not in RUNS:
            found.append(f"{name}: OpenCV has no layer {kind}.")
        if TO_BE_SAID.get(kind, "") not in ("", *fields):
            found.append(f"{name}: OpenCV has another default of {TO_BE_SAID[kind]}, which is to be said.")
        if fields.get(KERNEL_AXES, "2") not in RANKS.get(kind, fields.get(KERNEL_AXES, "2")):
            found.append(f"{name}: OpenCV has no {kind} of {fields[KERNEL_AXES]} spatial axes.")
        for row in DEVIATIONS:
            if row.layer == kind and fields.get(row.field, row.faithful[0]) not in row.faithful:
                found.append(f"{name}: OpenCV does not honour {row.field} ({row.fact}).")
    return found
