"""TorchScript keeps its modules: classes, names, and the state dict of the module that was scripted or traced."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import interlingua

pytestmark = pytest.mark.slow


class Block(nn.Module):
    """Two convolutions beside what goes past them."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        past = x
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        if self.downsample is not None:
            past = self.downsample(past)
        x += past
        return F.relu(x)


class Residual(nn.Module):
    """As torchvision's, small."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(8, 8), Block(8, 8))
        self.layer2 = nn.Sequential(Block(8, 16, 2), Block(16, 16))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        y: torch.Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return y


LINES = [
    "class Block(nn.Module):",
    "self.layer1 = nn.Sequential(Block(8, 8), Block(8, 8))",
    "self.layer2 = nn.Sequential(Block(8, 16, stride=2, downsample=True), Block(16, 16))",
    "x = self.layer1(x)",
]


@pytest.mark.parametrize("saved", [False, True], ids=["in memory", "a file"])
@pytest.mark.parametrize("way", ["script", "trace"])
def test_modules_of_a_script_stay(tmp_path: Path, way: str, saved: bool) -> None:
    torch.manual_seed(2)
    module, x = Residual().eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for each in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
            each += 0.05 * torch.rand_like(each)
    script = torch.jit.script(module) if way == "script" else torch.jit.trace(module, x)
    if saved:
        script.save(tmp_path / "model.pt")
        report = interlingua.convert(tmp_path / "model.pt", "torch", tmp_path / "out", input_shape=(2, 3, 64, 64))
    else:
        report = interlingua.convert(script, "torch", tmp_path / "out", example_inputs=x)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    code = (tmp_path / "out" / "model.py").read_text()
    assert [line for line in LINES if line not in code] == []
    spec = importlib.util.spec_from_file_location(f"script_{tmp_path.name}", tmp_path / "out" / "model.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    generated = made.load()
    generated.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(generated(x), module(x))
