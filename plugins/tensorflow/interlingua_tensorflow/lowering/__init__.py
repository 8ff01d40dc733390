"""What cards cannot say: one function an op, by family."""

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()

from interlingua_tensorflow.lowering import activation, convolution, linear, normalization, pooling, shape  # noqa: E402, F401
