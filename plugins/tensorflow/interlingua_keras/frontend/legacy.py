"""What Keras 2 called what Keras 3 calls otherwise: arguments and weights."""

from __future__ import annotations

from collections.abc import Mapping

_RENAMED: Mapping[tuple[str, str], str] = {
    ("LeakyReLU", "alpha"): "negative_slope",
    ("DepthwiseConv1D", "depthwise_kernel"): "kernel",
    ("DepthwiseConv2D", "depthwise_kernel"): "kernel",
}


def legacy(class_name: str, name: str) -> str:
    """Today's name of a layer's argument or weight."""
    return _RENAMED.get((class_name, name), name)
