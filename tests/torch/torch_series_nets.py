"""Small decoders whose layers are each given a cache and give one: as pairs, as further arguments, by names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Pairs = tuple[tuple[Tensor, Tensor], ...]
LAYERS = 4


class Layer(nn.Module):
    """A layer that is given a bias of its attention, or makes it for those behind it."""

    def __init__(self, first: bool = False) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.bias = nn.Linear(8, 2) if first else None
        self.out = nn.Linear(8, 8)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor], bias: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor | None]:
        bias = bias if self.bias is None else self.bias(x).transpose(1, 2).unsqueeze(-1)
        query, key, value = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        found = F.scaled_dot_product_attention(query, key, value)
        found = found if bias is None else found + bias
        return x + self.out(found.transpose(1, 2).flatten(2)), (key, value), bias


class Stack(nn.Module):
    """`other` tells that the first layer is not like the others."""

    def __init__(self, other: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(other and number == 0) for number in range(LAYERS))
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor, past: Pairs) -> tuple[Tensor, Pairs]:
        presents, bias = [], None
        for layer, pair in zip(self.layers, past, strict=True):
            x, present, bias = layer(x, pair, bias)
            presents.append(present)
        return self.norm(x), tuple(presents)


class InPairs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = Stack()

    def forward(self, x: Tensor, past_key_values: Pairs) -> tuple[Tensor, Pairs]:
        return self.decoder(x, past_key_values)  # type: ignore[no-any-return]


class Further(nn.Module):
    def __init__(self, other: bool = False) -> None:
        super().__init__()
        self.decoder = Stack(other)

    def forward(self, x: Tensor, *cache: Tensor) -> tuple[Tensor, ...]:
        x, presents = self.decoder(x, tuple(zip(cache[::2], cache[1::2], strict=True)))
        return (x, *(tensor for pair in presents for tensor in pair))


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = Stack()

    def forward(
        self, x: Tensor, key_0: Tensor, value_0: Tensor, key_1: Tensor, value_1: Tensor, key_2: Tensor, value_2: Tensor,
        key_3: Tensor, value_3: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        past = ((key_0, value_0), (key_1, value_1), (key_2, value_2), (key_3, value_3))
        x, presents = self.decoder(x, past)
        return x, presents[-1][0]


class Pyramid(nn.Module):
    """Each layer's result is one of the model's, and the last one's is read again."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.norm(x), features


def caches() -> list[Tensor]:
    """Two words of each layer's keys and values."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(2, 2, 2, 4, generator=generator) for _ in range(2 * LAYERS)]
