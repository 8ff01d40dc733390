"""What an initializer is called in the source."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from interlingua import passes
from interlingua.ir import metadata
from interlingua.notes import Notes
from interlingua.passes.origins import RecordOrigins


def _origins(names: list[str]) -> list[str]:
    """The origins of a convolution's weight and bias, and of what more the file holds."""
    weights = [
        numpy_helper.from_array(np.full((2, 1, 1, 1), index + 1, np.float32), n) for index, n in enumerate(names)
    ]
    bias = numpy_helper.from_array(np.ones(2, np.float32), names[1])
    node = helper.make_node("Conv", ["x", names[0], names[1]], ["y"])
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3, 3])
    exit_ = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    proto = helper.make_graph([node], "g", [entry], [exit_], [weights[0], bias, *weights[2:]])
    model: ir.Model = ir.from_proto(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 20)]))
    model = passes.run(model, (RecordOrigins,), notes=Notes())
    return [str(metadata.origin(model.graph.initializers[name])) for name in names]


@pytest.mark.parametrize(
    ("names", "origins"),
    [
        (["stem.0.weight", "stem.0.weight_bias"], ["stem.0.weight", "stem.0.bias"]),
        (["weight", "weight_bias"], ["weight", "bias"]),
        # near misses: another parameter has the name, or nothing says that a fold made it
        (["a.weight", "a.weight_bias", "a.bias"], ["a.weight", "a.weight_bias", "a.bias"]),
        (["a.kernel", "a.kernel_bias"], ["a.kernel", "a.kernel_bias"]),
        (["b.weight", "a.weight_bias"], ["b.weight", "a.weight_bias"]),
    ],
)
def test_a_bias_made_by_folding_a_batch_norm_is_its_convolution_s(names: list[str], origins: list[str]) -> None:
    assert _origins(names) == origins
