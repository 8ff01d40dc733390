"""Counts how often a PyTorch module permutes axes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode


class Moves(TorchDispatchMode):
    """Counts permutations while it lasts; the transposed view of a linear layer's weight (`t`) is none."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ("permute", "transpose"):
            self.counted[name] += 1
        return func(*args, **(kwargs or {}))


def permutes(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> int:
    """How many times a forward pass permutes axes."""
    with torch.no_grad(), Moves() as moves:
        module(*inputs)
    return sum(moves.counted.values())
