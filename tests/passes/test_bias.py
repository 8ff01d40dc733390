"""The bias that a source adds after a convolution becomes the convolution's own."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.proof.execute import run_ir


def _net(channels: int, shape: tuple[int, ...], turned: bool, used_twice: bool = False) -> ir.Model:
    random = np.random.default_rng(0)
    builder = Builder("net")
    x = builder.input("x", [2, 3, 5, 5])
    kernel = builder.weight("w", ir.tensor(random.standard_normal((channels, 3, 3, 3)).astype(np.float32), name="w"))
    bias = builder.weight("b", ir.tensor(random.standard_normal(shape).astype(np.float32), name="b"))
    y = builder.record("Conv", {"X": [x], "W": [kernel]}, {"kernel_shape": [3, 3], "pads": [1] * 4}, layer="conv")
    z = y
    if turned:
        y = builder.node("Transpose", [y], {"perm": [0, 2, 3, 1]}, layer="turn")
    out = builder.record("Add", {"A": [bias], "B": [y]}, {}, layer="add")
    extra = [("z", builder.record("Relu", {"X": [z]}, {}, layer="relu"))] if used_twice else []
    return builder.model([("y", out), *extra])


@pytest.mark.parametrize(
    ("shape", "turned", "fused"),
    [
        ((4, 1, 1), False, True),
        ((1, 4, 1, 1), False, True),
        ((4,), True, True),
        ((1, 1, 4), True, True),
        ((5,), False, False),
        ((4, 1, 5), False, False),
        ((5, 1), True, False),
    ],
)
def test_fused_where_it_is_one_for_each_channel(shape: tuple[int, ...], turned: bool, fused: bool) -> None:
    model = _net(5 if shape in ((5,), (5, 1)) and turned else 4, shape, turned)
    x = {"x": np.random.default_rng(1).standard_normal((2, 3, 5, 5)).astype(np.float32)}
    before = run_ir(model, x)[0]
    model = passes.run(model, notes=Notes())
    assert ("Add" not in [node.op_type for node in model.graph]) is fused
    np.testing.assert_allclose(run_ir(model, x)[0], before, rtol=0, atol=1e-5)


def test_not_where_the_sum_without_bias_is_used_too() -> None:
    model = passes.run(_net(4, (4, 1, 1), False, used_twice=True), notes=Notes())
    assert "Add" in [node.op_type for node in model.graph]
