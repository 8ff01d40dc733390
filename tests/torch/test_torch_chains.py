"""Chains of layers that stand in several places are classes where that is shorter or the source has them too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import nn

pytestmark = pytest.mark.slow


class ConvActivation(nn.Sequential):
    """A chain that the source has a class for."""

    def __init__(self, inputs: int, outputs: int, kernel: int, activation: type[nn.Module], stride: int = 1) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)]
        super().__init__(*layers, nn.BatchNorm2d(outputs), activation())


class Block(nn.Module):
    """Three chains and what they are given."""

    def __init__(self, width: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.first = ConvActivation(width, 2 * width, 1, activation)
        self.second = ConvActivation(2 * width, 2 * width, 5, activation)
        self.third = ConvActivation(2 * width, width, 1, activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.third(self.second(self.first(x)))  # type: ignore[no-any-return]


class Named(nn.Module):
    """Chains with an activation of two kinds, inside blocks and beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvActivation(3, 6, 3, nn.Hardswish, stride=2)
        self.blocks = nn.Sequential(Block(6, nn.ReLU), Block(6, nn.Hardswish))
        self.last = ConvActivation(6, 8, 1, nn.Hardswish)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.blocks(self.stem(x)))  # type: ignore[no-any-return]


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1))


class Made(nn.Module):
    """Chains of `nn.Sequential` itself, with names that have nothing in common."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = _conv(3, 40, 3)
        self.redirect = _conv(40, 50, 1)
        self.middle = _conv(50, 60, 5)
        self.narrow = _conv(60, 40, 1)
        self.wide = _conv(40, 70, 5)
        self.exit = _conv(70, 40, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.enter(x)
        x = x + self.narrow(self.middle(self.redirect(x)))
        return self.exit(self.wide(x)) * x  # type: ignore[no-any-return]


class Few(nn.Module):
    """Two chains alike, one of other layers, and one in each block of a class of the source."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = _conv(3, 40, 3)
        self.middle = nn.Sequential(nn.Conv2d(40, 40, 3, padding=1), nn.LeakyReLU(0.1), nn.BatchNorm2d(40))
        self.blocks = nn.Sequential(Shortcut(40, 80), Shortcut(80, 120), Shortcut(120, 200))
        self.exit = _conv(200, 40, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.exit(self.blocks(self.middle(self.enter(x))))  # type: ignore[no-any-return]


class Shortcut(nn.Module):
    """A block that has its chain in one place of its class."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).relu() + self.shortcut(x)  # type: ignore[no-any-return]


def test_a_chain_that_the_source_has_a_class_for_is_one(tmp_path: Path) -> None:
    made = Generated(Named(), (torch.randn(2, 3, 12, 12),), tmp_path / "out").proved()
    assert made.classes == ["ConvActivation", "Block", "Model"]
    text = "\n".join(made.lines("ConvActivation"))
    assert "activation=nn.Hardswish" in text and "padding=kernel_size // 2" in text and "stride=1" in text
    assert "def forward" not in text and made.text.count("nn.Conv2d(") == 1
    assert "self.stem = ConvActivation(3, 6, 3, stride=2)" in made.text
    assert "nn.ReLU" in "\n".join(made.lines("Model"))


def test_a_chain_without_a_class_of_its_own_is_called_by_its_layers(tmp_path: Path) -> None:
    made = Generated(Made(), (torch.randn(2, 3, 12, 12),), tmp_path / "out").proved()
    assert made.classes == ["ConvNormActivation", "Model"]
    assert "self.redirect = ConvNormActivation(40, 50, 1)" in made.text


def test_chains_in_few_places_stay_where_they_are(tmp_path: Path) -> None:
    """Two alike, one of other layers; three in instances of one class stand in one place."""
    made = Generated(Few(), (torch.randn(2, 3, 12, 12),), tmp_path / "out").proved()
    assert made.classes == ["Shortcut", "Model"]
    assert made.text.count("nn.LeakyReLU(") == 3
