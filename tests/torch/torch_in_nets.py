"""Modules of users, for the tests of what comes in from PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Small(nn.Module):
    """Named layers, with a number of classes that the caller says."""

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.bn = nn.BatchNorm2d(5)
        self.head = nn.Linear(5, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


class Nested(nn.Module):
    """Nested inputs and outputs, ties, a changed buffer, a frozen and an unused parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 4)
        self.unused = nn.Linear(2, 2)
        self.decode = nn.Linear(4, 4)
        self.decode.weight = self.encode.weight
        self.register_buffer("ones", torch.ones(4), persistent=False)
        self.register_buffer("count", torch.zeros(1))
        self.encode.bias.requires_grad_(False)

    def forward(self, pair: Any, mask: Any = None, scale: int = 2, *, extra: Any = None) -> dict[str, Any]:
        first, second = pair
        self.count.add_(1)
        x = self.decode(self.encode(first) + second["k"] * self.ones) * scale
        if extra is not None:
            x = x + extra
        return {"logits": x, "hidden": (x.tanh(), [x + 1, None]), "same": first, "three": 3}


class Partial(nn.Module):
    """Tensors inside arguments that may be left out."""

    def forward(self, batch: dict[str, torch.Tensor | None], pair: tuple[torch.Tensor, torch.Tensor | None]) -> Any:
        x, state = pair
        total = x + batch["a"] * 2
        total = total if batch.get("mask") is None else total * batch["mask"]
        return total if state is None else total + state


class Doubling(nn.Module):
    """A loop and a decision on data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.sum() < 100.0):
            x = x + 1.0 if bool(x.max() > 5.0) else x * 2.0
        return x


class Recurrent(nn.Module):
    """The three recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.gru = nn.GRU(4, 4, batch_first=True)
        self.rnn = nn.RNN(4, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(self.gru(self.lstm(x)[0])[0])[0]


class Bag(nn.Module):
    """Whole numbers and truth values as inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (self.embed(ids) * mask.unsqueeze(-1)).sum(1)


class Turned(nn.Module):
    """Complex numbers in and out."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * (1 + 2j)
