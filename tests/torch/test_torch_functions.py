"""Statements without layers that stand several times are a function of the file; what is nearly so stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import Tensor, nn

pytestmark = pytest.mark.slow


class Looking(nn.Module):
    """Looks three times for what a grid points to, between layers of its own; `unlike` says the last otherwise."""

    def __init__(self, unlike: bool = False) -> None:
        super().__init__()
        self.register_buffer("base", torch.rand(1, 6, 5, 2, generator=torch.Generator().manual_seed(2)))
        self.flows = nn.ModuleDict({name: nn.Conv2d(4, 2, 3, padding=1) for name in ("first", "second", "third")})
        self.unlike = unlike

    def look(self, x: Tensor, flow: Tensor, last: bool = False) -> Tensor:
        grid = flow.permute(0, 2, 3, 1) / 5.0 + self.base
        columns, rows = grid.split(1, dim=3)
        columns = torch.tanh(columns * 2.0 / 4.0 - 1.0)
        rows = torch.cos(rows * 2.0 / 5.0 - 1.0) if last else torch.sin(rows * 2.0 / 5.0 - 1.0)
        grid = torch.cat([columns, rows], dim=-1)
        found = torch.nn.functional.grid_sample(x, grid, align_corners=True)
        return x + torch.relu(found - 0.1) * torch.sigmoid(found)

    def forward(self, x: Tensor) -> Tensor:
        y = self.look(x, self.flows["first"](x))
        y = self.look(x, self.flows["second"](y))
        return self.look(x, self.flows["third"](y), last=self.unlike)


X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(3))


def test_what_stands_three_times_is_called_three_times(tmp_path: Path) -> None:
    made = Generated(Looking(), (X,), tmp_path / "out").proved()
    assert made.text.count("def looking_part(x, y, base):") == 1
    assert made.text.count("looking_part(") == 4 and made.text.count("grid_sample(") == 1
    assert "return looking_part(first, x, self.base)" in made.text


def test_what_differs_in_a_step_stays_as_it_is(tmp_path: Path) -> None:
    made = Generated(Looking(unlike=True), (X,), tmp_path / "out").proved()
    assert made.text.count("looking_part(") == 3 and made.text.count("grid_sample(") == 2 and "torch.cos(" in made.text
