"""onnxruntime's own operators become the standard's: numbers before and after, and forms that stay as they are."""

from __future__ import annotations

import math
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


SOME = np.array([[1, 1, 1], [1, 0, 1]], np.int32)
LENGTHS = np.array([3, 2], np.int32)
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
    ("FusedMatMul", [(4, 2, 3), (2, 3, 5)], 0, {"transBatchA": 1}),
    ("FusedMatMul", [(3, 2, 6, 4), (2, 6, 3, 5)], 0, {"transBatchA": 1, "transA": 1}),
    ("FusedMatMul", [(2, 6, 4, 3), (5, 2, 6, 3)], 0, {"transBatchB": 1, "transB": 1, "alpha": 2.0}),
    ("FusedGemm", [(4, 3), (5, 3), (5,)], 0, {"transB": 1, "activation": "LeakyRelu", "activation_alpha": 0.2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,)], 0, {"num_heads": 2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,)], 0, {"num_heads": 2, "unidirectional": 1, "scale": 0.2}),
    ("Attention", [(2, 3, 6), (6, 20), (20,)], 0, {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), SOME], 0, {"num_heads": 2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), LENGTHS], 0, {"num_heads": 2, "mask_filter_value": -3.0}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), SOME[:, None].repeat(3, 1)], 0, {"num_heads": 2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), SOME], 0, {"num_heads": 2, "unidirectional": 1}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), None, None, (2, 2, 3, 3)], 0, {"num_heads": 2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), None, (2, 2, 2, 5, 4)], 1, {"num_heads": 2}),
    ("Attention", [(2, 3, 8), (8, 24), (24,), None, (2, 2, 2, 5, 4)], 1, {"num_heads": 2, "unidirectional": 1}),
    ("MultiHeadAttention", [(2, 3, 8), (2, 3, 8), (2, 3, 8), None, SOME], 0, {"num_heads": 2}),
    ("MultiHeadAttention", [(2, 4, 8), (2, 3, 8), (2, 3, 8), (24,), LENGTHS], 0, {"num_heads": 2}),
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
        ("FusedConv", [(1, 3, 6, 6), (4, 3, 3, 3)], {"activation": "Mystery"}),
        ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8), None, np.ones(8, np.int32)], {"num_heads": 2}),
        ("Attention", [(2, 3, 8), (8, 24), (24,), np.ones(4, np.int32)], {"num_heads": 2}),
        ("Attention", [(2, 3, 8), (8, 24), (24,)], {"num_heads": 2, "do_rotary": 1}),
        ("MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 8)], {"num_heads": 2, "unidirectional": 1}),
        ("RotaryEmbedding", [(2, 3, 8), IDS, (7, 4), (7, 4)], {"scale": 2.0}),
    ],
)
def test_a_form_without_an_equivalent_stays(op: str, inputs: Sequence[Any], values: Mapping[str, Any]) -> None:
    model = passes.run(ir.from_proto(model_of(op, inputs, 0, values)), notes=Notes())
    assert [(node.domain, node.op_type) for node in model.graph] == [("com.microsoft", op)]


def quantized(node: onnx.NodeProto, given: Mapping[str, np.ndarray[Any, Any]], held: Sequence[str]) -> Any:
    """A model of that node of onnxruntime's; what is `held` are weights, all else is given."""
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
        if name not in held
    ]
    graph = helper.make_graph(
        [node],
        "one",
        infos,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(given[name], name) for name in held],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def agree(proto: Any, arrays: Mapping[str, np.ndarray[Any, Any]], tolerance: float = 2e-5) -> ir.Model:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    model = passes.run(ir.from_proto(proto), notes=Notes(), debug=True)
    assert all(node.domain == "" for node in model.graph)
    for expected, found in zip(session.run(None, dict(arrays)), execute.run_ir(model, arrays), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    return model


@pytest.mark.parametrize(("bits", "pointed"), [(4, True), (4, False), (8, True), (2, True)])
def test_products_with_weights_of_few_bits(bits: int, pointed: bool) -> None:
    random, block, blocks, rows = np.random.default_rng(3), 16, 3, 5
    values = {"bits": bits, "block_size": block, "K": 40, "N": rows}
    arrays = {
        "a": random.normal(0, 1, (2, 3, 40)).astype(np.float32),
        "b": random.integers(0, 256, (rows, blocks, block * bits // 8), np.uint8),
        "scales": random.normal(0, 0.1, (rows, blocks)).astype(np.float32),
        "points": random.integers(0, 256, (rows, -(-blocks * bits // 8)), np.uint8),
    }
    names = ["a", "b", "scales", *(["points"] if pointed else [])]
    node = helper.make_node("MatMulNBits", names, ["y"], domain="com.microsoft", **values)
    model = agree(quantized(node, {name: arrays[name] for name in names}, names[1:]), {"a": arrays["a"]})
    assert [each.op_type for each in model.graph] == ["DequantizeLinear", "Transpose", "MatMul"]


def test_products_of_whole_numbers() -> None:
    random = np.random.default_rng(4)
    arrays = {
        "a": random.normal(0, 1, (2, 3, 8)).astype(np.float32),
        "b": random.integers(-100, 100, (8, 6), np.int8),
        "scale": np.array([0.02], np.float32),
        "point": np.array([3], np.int8),
        "bias": random.normal(0, 1, 6).astype(np.float32),
    }
    node = helper.make_node("DynamicQuantizeMatMul", list(arrays), ["y"], domain="com.microsoft")
    agree(quantized(node, arrays, list(arrays)[1:]), {"a": arrays["a"]})
    arrays |= {"a": random.integers(0, 255, (2, 3, 8), np.uint8), "by": np.array([0.01], np.float32)}
    arrays["other"] = np.array([7], np.uint8)
    names = ["a", "b", "by", "scale", "other", "point", "bias"]
    node = helper.make_node("MatMulIntegerToFloat", names, ["y"], domain="com.microsoft")
    agree(quantized(node, arrays, names[1:]), {"a": arrays["a"]})


def test_attention_of_whole_numbers() -> None:
    random = np.random.default_rng(5)
    arrays = {
        "x": random.integers(0, 255, (2, 3, 8), np.uint8),
        "w": random.integers(-100, 100, (8, 24), np.int8),
        "b": random.normal(0, 1, 24).astype(np.float32),
        "by": np.array(0.01, np.float32),
        "scale": np.array(0.02, np.float32),
        "mask": LENGTHS,
        "point": np.array(7, np.uint8),
        "other": np.array(3, np.int8),
    }
    node = helper.make_node("QAttention", list(arrays), ["y"], domain="com.microsoft", num_heads=2)
    held = [name for name in arrays if name not in ("x", "mask")]
    agree(quantized(node, arrays, held), {name: arrays[name] for name in ("x", "mask")})


def test_layers_behind_each_other_are_read_one_after_the_other() -> None:
    """Shapes that were unknown behind onnxruntime's operator are known for the next one."""
    text = """<ir_version: 9, opset_import: ["" : 20, "com.microsoft" : 1]>
    one (int32[N, L] ids, int32[N, L] mask, float[5, 8] words, float[7, 8] places, float[8] scale, float[8] shift,
         float[8, 24] weight, float[24] bias) => (float[N, L, 8] y) {
        embedded, count = com.microsoft.EmbedLayerNormalization(ids, , words, places, , scale, shift, mask)
        first = com.microsoft.Attention<num_heads = 2>(embedded, weight, bias, count)
        y = com.microsoft.Attention<num_heads = 2>(first, weight, bias, count)
    }"""
    random = np.random.default_rng(6)
    shapes = {"words": (5, 8), "places": (7, 8), "scale": (8,), "shift": (8,), "weight": (8, 24), "bias": (24,)}
    floats = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    agree(onnx.parser.parse_model(text), {"ids": IDS, "mask": np.array([[1, 1, 1], [1, 1, 0]], np.int32), **floats})


def test_operators_of_diffusion_models_against_their_definitions() -> None:
    """onnxruntime runs these on graphics processors alone."""
    text = """<ir_version: 9, opset_import: ["" : 20, "com.microsoft" : 1]>
    one (float[2, 4, 4, 8] x, float[6, 3, 3, 8] w, float[6] b, float[8] gamma, float[8] beta, float[8] half)
        => (float[2, 4, 4, 6] conv, float[2, 4, 4, 8] norm, float[2, 4, 4, 4] gated) {
        conv = com.microsoft.NhwcConv<pads = [1, 1, 1, 1], kernel_shape = [3, 3]>(x, w, b)
        norm = com.microsoft.GroupNorm<groups = 2, activation = 1, epsilon = 1e-5, channels_last = 1>(x, gamma, beta)
        gated = com.microsoft.BiasSplitGelu(x, half)
    }"""
    random = np.random.default_rng(7)
    shapes = {"x": (2, 4, 4, 8), "w": (6, 3, 3, 8), "b": (6,), "gamma": (8,), "beta": (8,), "half": (8,)}
    arrays = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    model = passes.run(ir.from_proto(onnx.parser.parse_model(text)), notes=Notes(), debug=True)
    assert all(node.domain == "" for node in model.graph)
    conv, norm, gated = execute.run_ir(model, arrays)
    x, padded = arrays["x"], np.pad(arrays["x"], ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    np.testing.assert_allclose(conv, np.einsum("nhwcij,oijc->nhwo", patches, arrays["w"]) + arrays["b"], atol=1e-4)
    grouped = x.reshape(2, 4, 4, 2, 4)
    mean, spread = grouped.mean((1, 2, 4), keepdims=True), grouped.var((1, 2, 4), keepdims=True)
    told = ((grouped - mean) / np.sqrt(spread + 1e-5)).reshape(x.shape) * arrays["gamma"] + arrays["beta"]
    np.testing.assert_allclose(norm, told / (1 + np.exp(-told)), atol=1e-5)
    kept, gate = np.split(x + arrays["half"], 2, -1)
    np.testing.assert_allclose(gated, kept * gate * (1 + np.vectorize(math.erf)(gate / 2**0.5)) / 2, atol=1e-5)
