"""A module that several others have, under all its names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import Tensor, nn

pytestmark = pytest.mark.slow


class Position(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first, rest = x[:, :1], x[:, 1:]
        return torch.cat([first, self.proj(rest.transpose(1, 2)).transpose(1, 2) + rest], 1)


class Block(nn.Module):
    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc(self.position(x)).relu()  # type: ignore[no-any-return]


class Model(nn.Module):
    """A module that two blocks have, and the model itself under a third name, which does more than call its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.position = Position()
        self.blocks = nn.ModuleList([Block(self.position), Block(self.position)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def test_a_module_that_blocks_share_has_its_layer_in_each(tmp_path: Path) -> None:
    made = Generated(Model(), (torch.randn(2, 5, 4),), tmp_path / "out").proved()
    assert "self.blocks[1].position.proj = self.position.proj" in made.text
