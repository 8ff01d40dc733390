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
from interlingua.ir import metadata

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


class Parts(nn.Module):
    """Parameters that are read in parts, turned, with numbers added."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(3, 8))
        self.gain = nn.Parameter(torch.randn(8))
        self.both = nn.Parameter(torch.randn(16, 8))
        self.bias = nn.Parameter(torch.randn(16))
        self.column = nn.Parameter(torch.randn(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * (1 + self.gain) + self.table[1]
        left = nn.functional.linear(x, self.both[:8], self.bias[:8])
        right = nn.functional.linear(x, self.both[8:], self.bias[8:])
        return left * right + self.column[:, None] * (-self.table[0] / 2)


class Attended(nn.Module):
    """Attention that gives its weights too, of one module; and of another without them."""

    def __init__(self) -> None:
        super().__init__()
        self.given = nn.MultiheadAttention(8, 2, kdim=6, vdim=5)
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weights = self.given(x, keys, values)
        return self.inner(x, x, x, need_weights=False)[0], weights


SOURCES = {
    "parts": (Parts, (torch.randn(2, 5, 8),)),
    "attended": (Attended, (torch.randn(3, 2, 8), torch.randn(4, 2, 6), torch.randn(4, 2, 5))),
}


@pytest.mark.parametrize("name", SOURCES)
def test_parameters_stay_whole_in_the_file_and_behind_it(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    kind, example = SOURCES[name]
    source, other = kind().eval(), kind().eval()
    interlingua.convert(source, "onnx", tmp_path / "onnx", example_inputs=example)
    held = ir.load(tmp_path / "onnx" / "model.onnx").graph.initializers
    for key, parameter in source.named_parameters():
        array, order = held[key].const_value.numpy(), metadata.permutation(held[key])
        assert np.array_equal(array.transpose(np.argsort(order)) if order else array, parameter.detach().numpy())
    interlingua.convert(tmp_path / "onnx" / "model.onnx", "torch", tmp_path / "torch")
    generated = runpy.run_path(str(tmp_path / "torch" / "model.py"))["load"]()
    generated.load_state_dict(other.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(generated(*example), other(*example))


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
