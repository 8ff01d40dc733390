"""Files of PyTorch's exporters that merge equal weights: an untrained module is read with all the weights it has."""

from __future__ import annotations

import io
import runpy
import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

import interlingua

pytestmark = pytest.mark.slow

X = torch.randn(2, 3, 8, 8)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(6), nn.BatchNorm2d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.bn2(self.bn1(self.conv(x)).relu())
        return result


class Untrained(nn.Module):
    """Norms' weights are ones, as are the variances; biases are zeros, as are the means. Two layers are tied."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.blocks = nn.Sequential(Block(), Block())
        self.norm1, self.norm2 = nn.LayerNorm(6), nn.LayerNorm(6)
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(x)).mean((2, 3))
        result: torch.Tensor = self.second(self.norm2(self.first(self.norm1(x)).relu()))
        return result


def exported(source: nn.Module, path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = io.BytesIO()
        if options.pop("old"):
            torch.onnx.export(source, (X,), stream, dynamo=False, **options)
            path.write_bytes(stream.getvalue())
        else:
            program = torch.onnx.export(source, (X,), dynamo=True, verbose=False, **options)
            assert program is not None
            program.save(path)
    return path


PRESERVING = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False, "old": True}


def loaded(path: Path, out: Path) -> Any:
    report = interlingua.convert(path, "torch", out)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    return runpy.run_path(str(out / "model.py"))["load"]()


def test_every_norm_and_bias_is_its_own_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = Untrained().eval()
    path = exported(source, tmp_path / "net.onnx", **PRESERVING)
    assert len(onnx.load(path).graph.initializer) < 10
    generated = loaded(path, tmp_path / "out")
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.1)
    generated.load_state_dict(source.state_dict(), strict=True)
    torch.testing.assert_close(generated(X), source(X))
    counts = [sum(each.numel() for each in model.parameters()) for model in (source, generated)]
    assert counts[0] == counts[1]
    assert generated.first.weight is generated.second.weight


@pytest.mark.parametrize("options", [{"old": True}, {"old": False}], ids=["older exporter", "newer exporter"])
def test_where_batch_norms_are_folded_the_others_stay_apart(tmp_path: Path, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    generated = loaded(exported(Untrained().eval(), tmp_path / "net.onnx", **options), tmp_path / "out")
    assert generated.norm1.weight is not generated.norm2.weight
    assert generated.norm1.bias is not generated.norm2.bias
    assert len({id(each.weight) for each in generated.modules() if isinstance(each, nn.Linear)}) == 1


def test_one_parameter_that_two_nodes_read_stays_one_where_it_is_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = Untrained()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(torch.rand_like(parameter) * 0.1)
    source.norm2 = source.norm1
    generated = loaded(exported(source.eval(), tmp_path / "net.onnx", **PRESERVING), tmp_path / "out")
    assert sum(each.numel() for each in generated.parameters()) == sum(each.numel() for each in source.parameters())
