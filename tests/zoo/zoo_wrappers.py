"""Modules around library classes whose arguments or results are no plain tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Returning(nn.Module):
    """Calls a model of transformers with named arguments in order, and returns the chosen fields of its result."""

    def __init__(self, model: nn.Module, arguments: tuple[str, ...], fields: tuple[str, ...], **fixed: Any) -> None:
        super().__init__()
        self.model = model
        self.arguments = arguments
        self.fields = fields
        self.fixed = fixed

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result = self.model(**dict(zip(self.arguments, tensors, strict=True)), **self.fixed)
        return tuple(getattr(result, field) for field in self.fields)


class Cached(nn.Module):
    """A decoder whose key/value cache is an argument and a result: keys and values of each layer in turn."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, *cache: torch.Tensor) -> tuple[torch.Tensor, ...]:
        from transformers.cache_utils import DynamicCache

        past = DynamicCache(tuple(zip(cache[::2], cache[1::2], strict=True)))
        result = self.model(input_ids=input_ids, past_key_values=past, use_cache=True)
        layers = result.past_key_values.layers
        return (result.logits, *(tensor for layer in layers for tensor in (layer.keys, layer.values)))


class DecoderStep(nn.Module):
    """A step of T5's decoder: the new token, the cache of its self-attention, and the encoder's states."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, token: torch.Tensor, states: torch.Tensor, mask: torch.Tensor, *cache: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        own = DynamicCache(tuple(zip(cache[::2], cache[1::2], strict=True)))
        past = EncoderDecoderCache(own, DynamicCache())
        result = self.model(
            decoder_input_ids=token,
            encoder_outputs=(states,),
            attention_mask=mask,
            past_key_values=past,
            use_cache=True,
        )
        layers = result.past_key_values.self_attention_cache.layers
        return (result.logits, *(tensor for layer in layers for tensor in (layer.keys, layer.values)))


class Flow(nn.Module):
    """RAFT with few updates; the last flow."""

    def __init__(self, model: nn.Module, updates: int) -> None:
        super().__init__()
        self.model = model
        self.updates = updates

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        flows: list[torch.Tensor] = self.model(first, second, num_flow_updates=self.updates)
        return flows[-1]


def raft_small() -> nn.Module:
    """torchvision's small RAFT with two updates."""
    from torchvision.models.optical_flow import raft_small as build

    return Flow(build(weights=None), updates=2)
