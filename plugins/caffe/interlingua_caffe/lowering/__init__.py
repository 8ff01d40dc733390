"""What cards cannot say as data: one function an op, by family, and the network that they write to."""

import importlib

from interlingua_caffe.lowering.network import LOWERINGS

for _family in ("convolution", "elementwise", "linear", "normalization", "pooling", "reduction", "shape"):
    importlib.import_module(f"{__name__}.{_family}")

__all__ = ["LOWERINGS"]
