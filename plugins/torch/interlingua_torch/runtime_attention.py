"""Writes fused attention with four axes and heads that go together: PyTorch's exporter takes no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import statically_known_true

FUSED = torch.ops.aten.scaled_dot_product_attention.default


def needs_axes(node: Any) -> bool:
    """Whether the exporter refuses the call, or writes what no runtime takes."""
    query, key, value = (each.meta["val"] for each in node.args[:3])
    return not _is_plain(query, key, value, node.kwargs.get("enable_gqa", False))


def _is_plain(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, grouped: bool) -> bool:
    if query.ndim != 4 or key.ndim != 4 or value.ndim != 4:
        return False
    pairs = [(query.shape[0], key.shape[0]), (key.shape[0], value.shape[0]), (key.shape[1], value.shape[1])]
    pairs += [] if grouped else [(query.shape[1], key.shape[1])]
    return all(_same(first, second) for first, second in pairs)


def _same(first: int | torch.SymInt, second: int | torch.SymInt) -> bool:
    return statically_known_true(first == second)


def with_axes(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Attention of tensors (*batch, heads, length, features), or without heads, as one of (batch, heads, ...).

    One head of keys for all of the queries is a group of them; what is broadcast in a batch is expanded.
    """
    if _is_plain(query, key, value, enable_gqa):
        return NotImplemented
    rank = max(3, query.ndim, key.ndim, value.ndim)
    given = [_led(each, rank) for each in (query, key, value)]
    mask = attn_mask if attn_mask is None or attn_mask.ndim == 2 else _led(attn_mask, rank)
    if rank == 3:
        given = [each.unsqueeze(1) for each in given]
        mask = mask.unsqueeze(1) if mask is not None and mask.ndim == 3 else mask
    heads = [each.shape[-3:-2] for each in given]
    keyed = torch.broadcast_shapes(*heads[1:])  # type: ignore[no-untyped-call]
    asked = heads[0] if enable_gqa else torch.broadcast_shapes(*heads)  # type: ignore[no-untyped-call]
    batch = torch.broadcast_shapes(*(each.shape[:-3] for each in given))  # type: ignore[no-untyped-call]
    wanted = ((*batch, *asked), (*batch, *keyed), (*batch, *keyed))
    given = [_flat(_expanded(each, lead)) for each, lead in zip(given, wanted, strict=True)]
    if mask is not None and mask.ndim > 4:
        alike = all(_same(size, 1) for size in mask.shape[:-3])
        mask = mask.reshape(1, *mask.shape[-3:]) if alike else _flat(_expanded(mask, (*batch, mask.shape[-3])))
    grouped = enable_gqa or not _same(asked[0], keyed[0])
    found = FUSED(*given, mask, dropout_p, is_causal, scale=scale, enable_gqa=grouped)
    if rank > 3:
        return found if rank == 4 else found.reshape(*batch, *found.shape[1:])
    found = found.squeeze(1)
    return found.squeeze(0) if query.ndim == key.ndim == value.ndim == 2 else found


def _led(x: torch.Tensor, rank: int) -> torch.Tensor:
    """The tensor with axes of one before it, as it is broadcast."""
    return x.reshape(*[1] * (rank - x.ndim), *x.shape) if x.ndim < rank else x


def _expanded(x: torch.Tensor, lead: Sequence[int]) -> torch.Tensor:
    same = all(_same(first, second) for first, second in zip(x.shape, lead, strict=False))
    return x if same else x.expand(*lead, *x.shape[-2:])


def _flat(x: torch.Tensor) -> torch.Tensor:
    """The tensor with one axis of the batch."""
    return x if x.ndim == 4 else x.reshape(-1, *x.shape[-3:])
