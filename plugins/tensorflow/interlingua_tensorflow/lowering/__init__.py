"""What cards cannot say: one function an op, by family."""

import importlib

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()

for _family in ("activation", "convolution", "linear", "normalization", "pooling", "reduction", "shape"):
    importlib.import_module(f"{__name__}.{_family}")
