"""Small nets that compute alike again and again and put the results together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Correlation(nn.Module):
    """Every displacement of a map against another one: two counters that go by their own steps, from below 0."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        first, second = self.conv(first), self.conv(second)
        height, width = first.shape[2:]
        padded = F.pad(second, (4, 4, 3, 3))
        places = [(y, x) for y in range(0, 7, 3) for x in range(0, 9, 2)]
        return torch.cat([(first * padded[:, :, y : y + height, x : x + width]).mean(1, True) for y, x in places], 1)


class Pyramid(nn.Module):
    """What was, and pools of it that grow; levels whose sizes do not go on evenly stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv(x)
        same = torch.cat([x, *(F.max_pool2d(x, size, 1, size // 2) for size in (5, 9, 13))], 1)
        levels = [F.adaptive_avg_pool2d(x, size).flatten(1) for size in (1, 2, 4, 8)]
        return same, torch.cat(levels, 1)


class Groups(nn.Module):
    """A layer for each part of the features, a sum of products of columns, and windows that take several lines."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Linear(12, 12)
        self.heads = nn.ModuleList(nn.Linear(3, 5) for _ in range(4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.whole(x)
        parts = torch.cat([head(F.gelu(part)) for head, part in zip(self.heads, x.chunk(4, -1), strict=True)], -1)
        total = sum(torch.sigmoid(x[:, place]) * x[:, place + 4] for place in range(4))
        windows = []
        for place in range(5):
            window = x[:, place : place + 3]
            window = window - window.mean(1, keepdim=True)
            window = window * torch.tanh(window)
            windows.append((window / (window.square().sum(1, keepdim=True) + 1).sqrt()).flatten(1))
        assert isinstance(total, torch.Tensor)
        return parts, total, torch.cat(windows, 1)


class Crossed(nn.Module):
    """Layers of two lists, with one half of what the first gives between them: not always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.ModuleList(nn.Linear(6, 8) for _ in range(4))
        self.heads = nn.ModuleList(nn.Linear(4, 5) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = []
        for place, (wide, head) in enumerate(zip(self.wide, self.heads, strict=True)):
            half = wide(x).chunk(2, -1)[place % 2]
            found.append(F.gelu(head(half)))
        return torch.cat(found, -1)
