"""onnxruntime's quantized operators beside what is written for them: the same whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from interlingua import passes
from interlingua.notes import Approximated, Notes
from interlingua.passes.contributed_quantized import ROUNDED
from interlingua.proof import execute

ELEMENTS = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
SCALES = (0.031, 0.017)
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("QLinearAdd", 2, {}),
    ("QLinearMul", 2, {}),
    ("QLinearLeakyRelu", 1, {"alpha": 0.2}),
    ("QLinearSigmoid", 1, {}),
    ("QLinearSoftmax", 1, {"axis": 1, "opset": 13}),
    ("QLinearConcat", 2, {"axis": 1}),
    ("QLinearGlobalAveragePool", 1, {}),
    ("QLinearAveragePool", 1, {"kernel_shape": [2, 2], "strides": [2, 1], "pads": [0, 1, 0, 0]}),
]


def model_of(op: str, count: int, kind: type[np.generic], values: dict[str, Any]) -> Any:
    """A model of one node with `count` inputs of four axes; its output by a scale that leaves no number clipped."""
    wanted = {"QLinearSigmoid": 0.0041, "QLinearSoftmax": 1 / 256, "QLinearGlobalAveragePool": 0.01}.get(op, 0.06)
    numbers = {"ys": np.float32(wanted), "yz": kind(3)}  # type: ignore[call-arg]
    parts: list[list[str]] = []
    for place in range(count):
        numbers |= {f"s{place}": np.float32(SCALES[place]), f"z{place}": kind(40 + place)}  # type: ignore[call-arg]
        parts.append([f"x{place}", f"s{place}", f"z{place}"])
    told = [name for part in parts for name in part]
    inputs = ["ys", "yz", *told] if op == "QLinearConcat" else [*told, "ys", "yz"]
    node = helper.make_node(op, inputs, ["y"], domain="com.microsoft", **values)
    infos = [helper.make_tensor_value_info(f"x{i}", ELEMENTS[kind], (2, 5, 8, 9)) for i in range(count)]
    held = [numpy_helper.from_array(np.asarray(number), name) for name, number in numbers.items()]
    graph = helper.make_graph([node], "one", infos, [helper.make_tensor_value_info("y", ELEMENTS[kind], None)], held)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize(("op", "count", "values"), CASES, ids=[op for op, _, _ in CASES])
def test_the_same_whole_numbers(op: str, count: int, values: dict[str, Any], kind: type[np.generic]) -> None:
    proto = model_of(op, count, kind, values)
    limits = np.iinfo(kind)  # type: ignore[type-var]
    random = np.random.default_rng(4)
    feeds = {f"x{i}": random.integers(limits.min, limits.max + 1, (2, 5, 8, 9)).astype(kind) for i in range(count)}
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, feeds)
    notes = Notes()
    model = passes.run(ir.from_proto(proto), notes=notes)
    assert {node.domain for node in model.graph} == {""}
    (found,) = execute.run_ir(model, feeds)
    assert len(np.unique(wanted)) > 3
    apart = np.abs(found.astype(int) - wanted.astype(int))
    assert apart.max() <= (1 if op in ROUNDED else 0) and np.mean(apart > 0) < 0.02
    assert [type(note) for note in notes] == ([Approximated] if op in ROUNDED else [])
