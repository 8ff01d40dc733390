"""What cards cannot say as data: one function an op, by family, and the network that they write to."""

from __future__ import annotations

from interlingua_caffe.lowering import elementwise, linear, normalization, reduction, shape
from interlingua_caffe.lowering.network import Lowering

LOWERINGS: dict[str, Lowering] = {
    **elementwise.LOWERINGS,
    **linear.LOWERINGS,
    **normalization.LOWERINGS,
    **reduction.LOWERINGS,
    **shape.LOWERINGS,
}

__all__ = ["LOWERINGS"]
