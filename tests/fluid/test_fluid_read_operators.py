"""Every program that Fluid saved computes the same in the IR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import pipeline
from interlingua.proof import execute

pytestmark = pytest.mark.legacy


def read(made: Path, name: str) -> tuple[ir.Model, dict[str, np.ndarray], np.ndarray]:
    with np.load(made / f"{name}.npz") as file:
        arrays = dict(file)
    output = arrays.pop("output")
    return pipeline.read(made / name, debug=True).model, arrays, output


def relative(expected: np.ndarray, received: np.ndarray) -> float:
    assert received.shape == expected.shape
    return float(np.abs(received - expected).max() / np.abs(expected).max())


def test_the_ir_computes_what_fluid_computes(made: Path, program: str) -> None:
    model, arrays, output = read(made, program)
    assert np.ptp(output) > 0 or output.size == 1
    (received,) = execute.run_ir(model, arrays)
    assert relative(output, received) < 3e-6


def test_parameters_keep_their_names_and_bytes(made: Path) -> None:
    model, _, _ = read(made, "lenet")
    names = {value.name for value in model.graph.initializers.values()}
    weights = {
        f"{layer}.{kind}_0" for layer in ("block1_conv1", "block2_conv1", "fc1", "before_softmax") for kind in "wb"
    }
    assert weights <= names
    kernel = model.graph.initializers["block1_conv1.w_0"].const_value
    stored = np.fromfile(
        made / "lenet" / "block1_conv1.w_0",
        np.float32,
        offset=(made / "lenet" / "block1_conv1.w_0").stat().st_size - 600,
    )
    assert kernel is not None and np.array_equal(kernel.numpy().ravel(), stored)


def test_layers_keep_their_names_and_biases_are_no_nodes(made: Path) -> None:
    model, _, _ = read(made, "lenet")
    layers = [(node.op_type, node.metadata_props["interlingua.layer"]) for node in model.graph]
    assert ("Conv", "block1_conv1") in layers and ("MaxPool", "block2_pool1") in layers
    assert ("Gemm", "fc1") in layers and ("Softmax", "predictions") in layers
    assert not any(op == "Add" for op, _ in layers)
