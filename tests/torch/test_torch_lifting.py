"""What an exporter computes once, in the first of modules alike, stands in the module around them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import interlingua


class Layer(nn.Module):
    """Each makes the mask of the condition for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        mask = torch.where(keep, 0.0, -100.0)[:, None]
        scores = self.query(x) @ self.key(x).mT + mask
        return x + F.softmax(scores, -1) @ self.value(x)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range(3)])

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x, keep)
        return x


class Dense(nn.Module):
    """What the first layer computes of its own weights is read by the others, and stays where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(2)])

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        first = self.layers[0](x)
        result: torch.Tensor = self.layers[1](first) + first + keep[:, :, None]
        return result


def written(source: nn.Module, folder: Path) -> str:
    x, keep = torch.randn(2, 5, 8), torch.rand(2, 5) > 0.3
    batch = {0: torch.export.Dim.AUTO}
    program = torch.onnx.export(source.eval(), (x, keep), dynamo=True, verbose=False, dynamic_shapes=(batch, batch))
    assert program is not None
    program.save(folder / "net.onnx")
    report = interlingua.convert(folder / "net.onnx", "torch", folder / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    return (folder / "out" / "model.py").read_text("utf-8")


@pytest.mark.slow
def test_a_mask_that_all_layers_take_is_the_encoders(tmp_path: Path) -> None:
    text = written(Encoder(), tmp_path)
    assert text.count("torch.where(") == 1
    assert text.count("class Layer") == 1 and "class Layer_2" not in text
    assert "torch.where(" in text.partition("class Model")[2]
    assert "for layer in self.layers:" in text


@pytest.mark.slow
def test_what_weights_give_stays_in_its_module(tmp_path: Path) -> None:
    text = written(Dense(), tmp_path)
    assert "tanh" not in text.partition("class Model")[2].partition("def forward")[2]
