"""What a source computes in place is computed in place where nothing else reads it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from generated import Generated
from torch import nn

from interlingua.proof import execute

pytestmark = pytest.mark.slow

IMAGE = (torch.randn(2, 3, 8, 8),)


class Overwriting(nn.Module):
    """Every activation is in place: three may be so again, for the others something else reads their input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.six = nn.ReLU6(inplace=True)
        self.act = nn.ELU(inplace=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.six(self.bn(self.conv(x)))
        x = self.act(x + 1)
        kept = x - 1.5
        x = F.relu(kept.clone(), inplace=True) + kept
        y = F.leaky_relu(x.mT, 0.2, True)
        return F.silu(y * kept, inplace=True), kept


class Leaving(Overwriting):
    """The same layers, none in place."""

    def __init__(self) -> None:
        super().__init__()
        self.six.inplace = self.act.inplace = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return F.relu(self.act(self.six(self.bn(self.conv(x)))))


def test_what_the_source_overwrites_is_overwritten_where_nothing_else_reads_it(tmp_path: Path) -> None:
    made = Generated(Overwriting(), IMAGE, tmp_path / "out").proved()
    assert made.text.count("inplace=True") == 3
    assert "F.relu6(self.bn(x), inplace=True)" in made.text and "F.relu(x)" in made.text
    for model in (made.source, made.model):
        sum(each.square().mean() for each in model(*IMAGE)).backward()  # type: ignore[attr-defined]
    gradients = [{name: each.grad for name, each in model.named_parameters()} for model in (made.source, made.model)]
    assert gradients[0].keys() == gradients[1].keys()
    for name, wanted in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], wanted)


def test_what_the_source_leaves_is_left(tmp_path: Path) -> None:
    assert "inplace" not in Generated(Leaving(), IMAGE, tmp_path / "out").proved().text


def test_layers_in_a_sequence_are_in_place_and_told_as_they_were_before(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))
    made = Generated(net, IMAGE, tmp_path / "out").proved()
    assert "nn.ReLU(inplace=True)" in made.text
    told = execute.trace("torch", {"input": IMAGE[0].numpy()}, {"path": str(tmp_path / "out"), "format": "python"})
    wanted = net[1](net[0](IMAGE[0])).detach()
    assert wanted.min() < 0
    torch.testing.assert_close(torch.from_numpy(told["1"]), wanted)
