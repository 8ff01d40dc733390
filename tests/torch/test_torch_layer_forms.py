"""What a chain of layers does without weights is a layer of PyTorch where it has one, else a small class."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import nn

pytestmark = pytest.mark.slow


class Apart(nn.Module):
    """Pads channels too, as no layer does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x, (0, 1, 0, 0, 1, 0))


class Mean(nn.Module):
    """A mean of one of the spatial axes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(-1, keepdim=True)


class Sharp(nn.Module):
    """A smaller image with antialiasing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)


LAYERS = {
    "nn.ReflectionPad2d(3)": nn.ReflectionPad2d(3),
    "nn.ZeroPad2d((1, 0, 2, 0))": nn.ZeroPad2d((1, 0, 2, 0)),
    "nn.ConstantPad2d(2, value=0.5)": nn.ConstantPad2d(2, 0.5),
    "nn.ReplicationPad2d((0, 2, 1, 0))": nn.ReplicationPad2d((0, 2, 1, 0)),
    "nn.CircularPad2d(1)": nn.CircularPad2d(1),
    "nn.PixelShuffle(2)": nn.PixelShuffle(2),
    "nn.PixelUnshuffle(2)": nn.PixelUnshuffle(2),
    "nn.Upsample(scale_factor=2)": nn.Upsample(scale_factor=2),
    'nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)': nn.UpsamplingBilinear2d(scale_factor=2),
    "nn.AdaptiveAvgPool2d(1)": nn.AdaptiveAvgPool2d(1),
}


class Chain(nn.Module):
    """Each of some layers between two convolutions, and a sum around them so that the chain is a part."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        chains = (nn.Sequential(nn.Conv2d(4, 4, 1), layer, nn.ReLU()) for layer in layers)
        self.chains = nn.ModuleList(chains)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [chain(x) for chain in self.chains]


def test_layers_without_weights_stay_layers(tmp_path: Path) -> None:
    made = Generated(Chain(*LAYERS.values()), (torch.randn(2, 4, 8, 6),), tmp_path / "out").proved()
    assert [each for each in LAYERS if each not in made.text] == [] and made.classes == ["Model"]


def test_what_no_layer_does_is_a_class(tmp_path: Path) -> None:
    made = Generated(Chain(Apart(), Mean(), Sharp()), (torch.randn(2, 4, 8, 6),), tmp_path / "out").proved()
    assert {"Apart", "Mean", "Sharp"} <= {*made.classes} and "Pad2d" not in made.text and "Upsample" not in made.text
