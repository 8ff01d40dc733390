"""onnxruntime's own operators become the standard's: numbers before and after, and forms that stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper

from interlingua import passes
from interlingua.notes import Notes
from interlingua.proof import execute

Shape = tuple[int, ...]


def model_of(
    op: str, inputs: Sequence[Shape | np.ndarray[Any, Any] | None], outputs: int, values: Mapping[str, Any]
) -> Any:
    """A model of one node; arrays are inputs of whole numbers."""
    names = ["" if each is None else f"x{index}" for index, each in enumerate(inputs)]
    domain = "" if op == "SimplifiedLayerNormalization" else "com.microsoft"
    results = [f"y{index}" if index in (0, outputs) else "" for index in range(outputs + 1)]
    unread = ["mask"] if op == "EmbedLayerNormalization" else []
    node = helper.make_node(op, names, [*results, *unread], domain=domain, **values)
    infos = [
        helper.make_tensor_value_info(
            name, *((TensorProto.INT32, each.shape) if isinstance(each, np.ndarray) else (TensorProto.FLOAT, each))
        )
        for name, each in zip(names, inputs, strict=True)
        if each is not None
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results if name]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(helper.make_graph([node], "one", infos, ends), opset_imports=imports, ir_version=9)


IDS = np.array([[1, 3, 0], [2, 2, 4]], np.int32)

CASES = [
    ("Gelu", [(2, 3, 4)], 0, {}),
    ("FastGelu", [(2, 3, 4), (4,)], 0, {}),
    ("BiasGelu", [(2, 3, 4), (4,)], 0, {}),
    ("QuickGelu", [(2, 3, 4)], 0, {"alpha": 1.5}),
    ("FusedMatMul", [(2, 4, 3), (2, 5, 4)], 0, {"alpha": 0.5, "transA": 1, "transB": 1}),
    ("FusedConv", [(1, 3, 6, 6), (4, 3, 3, 3), (4,)], 0, {"activation": "Relu", "pads": [1, 0, 0, 1]}),
    ("FusedConv", [(1, 3, 6, 6), (4, 3, 3, 3)], 0, {"activation": "LeakyRelu", "activation_params": [0.3]}),
    ("SkipLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,), (4,), (4,)], 3, {"epsilon": 1e-5}),
    ("SkipSimplifiedLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,)], 3, {"epsilon": 1e-5}),
    ("SimplifiedLayerNormalization", [(2, 3, 4), (4,)], 0, {"epsilon": 1e-6}),
    ("EmbedLayerNormalization", [IDS, IDS % 2, (5, 4), (7, 4), (2, 4), (4,), (4,)], 0, {}),
    ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8), (24,)], 0, {"num_heads": 2}),
    ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8), None, None, (2, 2, 3, 5)], 0, {"num_heads": 2}),
    ("MultiHeadAttention", [(2, 4, 8), (2, 4, 8), (2, 4, 8)], 0, {"num_heads": 2, "unidirectional": 1, "scale": 0.3}),
    ("SkipLayerNormalization", [(2, 3, 4), (1, 3, 4), (4,)], 0, {}),
    ("FusedConv", [(1, 3, 6, 6), (4, 3, 3, 3)], 0, {"activation": "Clip", "activation_params": [-0.3, 0.4]}),
]


@pytest.mark.parametrize(
    ("op", "inputs", "extra", "values"), CASES, ids=lambda each: each if isinstance(each, str) else ""
)
def test_an_equivalent_computes_the_same(op: str, inputs: Sequence[Any], extra: int, values: Mapping[str, Any]) -> None:
    proto = model_of(op, inputs, extra, values)
    random = np.random.default_rng(5)
    arrays = {
        f"x{index}": each if isinstance(each, np.ndarray) else random.normal(0, 1, each).astype(np.float32)
        for index, each in enumerate(inputs)
        if each is not None
    }
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    before = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"]).run(
        None, arrays
    )
    model = passes.run(ir.from_proto(proto), notes=Notes(), debug=True)
    assert all(node.domain == "" and onnx.defs.has(node.op_type) for node in model.graph)
    after = execute.run_ir(model, arrays)
    assert len(before) == len(after)
    for expected, found in zip(before, after, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("op", "inputs", "values"),
    [
        ("FusedMatMul", [(2, 4, 3), (2, 5, 4)], {"transBatchA": 1}),
        ("FusedConv", [(1, 3, 6, 6), (4, 3, 3, 3)], {"activation": "Mystery"}),
        ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8), None, IDS], {"num_heads": 2}),
        ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8)], {"num_heads": 2, "unidirectional": 1}),
        ("RotaryEmbedding", [(2, 3, 8), IDS, (7, 4), (7, 4)], {"scale": 2.0}),
    ],
)
def test_a_form_without_an_equivalent_stays(op: str, inputs: Sequence[Any], values: Mapping[str, Any]) -> None:
    model = passes.run(ir.from_proto(model_of(op, inputs, 0, values)), notes=Notes())
    assert [(node.domain, node.op_type) for node in model.graph] == [("com.microsoft", op)]
