"""From PyTorch to ONNX and back: the state dict of the source is the generated module's."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import interlingua
from interlingua.codegen.weights import Weight
from interlingua.ir import metadata
from interlingua.ir.origin import Call, Parameter

pytestmark = pytest.mark.slow


class Net(nn.Module):
    """A dense layer on three axes, small and large, a matrix that is no such layer, a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 40)
        self.wide = nn.Linear(40, 60)
        self.matrix = nn.Parameter(torch.randn(60, 5))
        self.gru = nn.GRU(5, 4, batch_first=True)
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.wide(self.head(x).relu()) @ self.matrix
        result: torch.Tensor = self.gru(x)[0] * self.scale + 0.3
        return result


@pytest.mark.parametrize(("opset", "beside"), [(0, False), (0, True), (18, False)])
def test_the_state_of_the_source_loads_strictly(tmp_path: Path, opset: int, beside: bool) -> None:
    torch.manual_seed(0)
    source, x = Net().eval(), torch.randn(2, 3, 6)
    interlingua.convert(
        source, "onnx", tmp_path / "onnx", example_inputs=(x,), opset=opset, external_data=beside, verify=False
    )
    interlingua.convert(tmp_path / "onnx" / "model.onnx", "torch", tmp_path / "torch")
    generated = runpy.run_path(str(tmp_path / "torch" / "model.py"))["load"]()
    torch.testing.assert_close(generated(x), source(x))
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.mul_(1.5)
    generated.load_state_dict(source.state_dict(), strict=True)
    torch.testing.assert_close(generated(x), source(x))
    assert isinstance(generated.head, nn.Linear) and isinstance(generated.gru, nn.GRU)
    trained = [sum(each.numel() for each in model.parameters()) for model in (source, generated)]
    assert trained[0] == trained[1]


@pytest.mark.parametrize(("turned", "named"), [((1, 2, 0), True), ((2, 0, 1), False)])
def test_only_what_undoes_the_turn_is_the_parameter(turned: tuple[int, ...], named: bool) -> None:
    value = ir.Value(name="weight", const_value=ir.tensor(np.zeros((2, 3, 4), np.float32), name="weight"))
    metadata.set_permutation(value, (2, 0, 1))
    metadata.set_origin(value, Call("transpose", (Parameter("layer.weight"),), turned))
    assert Weight(value).is_named("weight") is named


def test_a_weight_of_one_number_that_an_exporter_turned_is_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, x = nn.Sequential(nn.Linear(3, 1), nn.Linear(1, 1)).eval(), torch.randn(2, 5, 3)
    program = torch.onnx.export(source, (x,), dynamo=True, verbose=False)
    assert program is not None
    program.save(str(tmp_path / "model.onnx"))
    interlingua.convert(tmp_path / "model.onnx", "torch", tmp_path / "torch")
    generated = runpy.run_path(str(tmp_path / "torch" / "model.py"))["load"]()
    trained = [sum(each.numel() for each in model.parameters()) for model in (source, generated)]
    assert trained[0] == trained[1]
