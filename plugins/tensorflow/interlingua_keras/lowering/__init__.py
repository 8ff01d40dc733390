"""What cards cannot say: one function an op, by family."""

from interlingua_keras.lowering import activation, convolution, elementwise, linear, normalization, pooling, shape
from interlingua_keras.lowering.registry import lowers

__all__ = ["activation", "convolution", "elementwise", "linear", "lowers", "normalization", "pooling", "shape"]
