"""Which initializers are parameters, by what the exporter calls them."""

from __future__ import annotations

import numpy as np
import pytest
from passes_graphs import Graph

from interlingua import passes
from interlingua.ir import metadata
from interlingua.notes import Notes


@pytest.mark.parametrize(
    ("name", "number", "producer", "stated"),
    [
        ("mul:0", np.float32(0.7), "tf2onnx", True),
        ("const_fold_opt__12", np.ones((1, 1), np.float32), "tf2onnx", True),
        ("add/ReadVariableOp:0", np.float32(0.7), "tf2onnx", False),
        ("kernel:0", np.ones(2, np.float32), "tf2onnx", False),
        ("mul:0", np.float32(0.7), "another", False),
    ],
)
def test_single_numbers_of_an_exporter(name: str, number: np.ndarray, producer: str, stated: bool) -> None:  # type: ignore[type-arg]
    graph = Graph()
    model = graph.model(graph("Mul", graph.input("x", ["N", 2]), graph.weight(number, name)))
    model.producer_name = producer
    (value,) = passes.run(model, notes=Notes()).graph.initializers.values()
    assert metadata.is_constant(value) == stated


def test_the_bias_that_folding_gave_to_a_weight_is_the_modules() -> None:
    graph = Graph()
    weight = graph.weight(np.ones((4, 3, 1, 1), np.float32), "conv.weight")
    bias = graph.weight(np.ones(4, np.float32), "conv.weight_bias")
    model = graph.model(graph("Conv", graph.input("x", ["N", 3, 5, 5]), weight, bias))
    origins = {str(metadata.origin(value)) for value in passes.run(model, notes=Notes()).graph.initializers.values()}
    assert origins == {"conv.weight", "conv.bias"}
