"""Attention with caches, windows, bounded products and intermediate results; rotation of positions."""

import torch
import torch.nn.functional as F


def attention_bias(
    q: torch.Tensor,
    k: torch.Tensor,
    mask: torch.Tensor | None,
    offset: int | torch.Tensor,
    is_causal: bool,
    window: tuple[int, int],
    lengths: torch.Tensor | None,
) -> torch.Tensor:
    """What is added to the products: 0 where a query sees a key, minus infinity where not, besides the mask's values.

    The first query stands at position `offset` of the keys (a tensor: for each sample).
    """
    bias = torch.zeros(q.shape[2], k.shape[2], dtype=q.dtype, device=q.device)
    if mask is not None:
        missing = k.shape[2] - mask.shape[-1]
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, float("-inf"))
        if missing > 0:
            mask = F.pad(mask, (0, missing), value=float("-inf"))
        bias = bias + mask
    queries = torch.arange(q.shape[2], device=q.device)[:, None] + offset
    keys = torch.arange(k.shape[2], device=q.device)
    hidden = torch.zeros_like(queries - keys, dtype=torch.bool)
    if is_causal:
        hidden = hidden | (keys > queries)
    if window[0] >= 0:
        hidden = hidden | (keys < queries - window[0])
    if window[1] >= 0:
        hidden = hidden | (keys > queries + window[1])
    if lengths is not None:
        hidden = hidden | (keys >= lengths.reshape(-1, 1, 1, 1))
    return bias.masked_fill(hidden, float("-inf"))


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: torch.Tensor | None = None,
    past_key: torch.Tensor | None = None,
    past_value: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    heads: tuple[int, int] | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    softcap: float = 0.0,
    window: tuple[int, int] = (-1, -1),
    softmax_dtype: torch.dtype | None = None,
    products: str = "raw",
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Attention; the whole keys and values; and the products: raw, capped, biased or as the softmax gives them.

    q, k and v are (batch, heads, length, size), or (batch, length, heads * size) with `heads` of queries and of keys.
    `lengths` tells how many keys of each sample count. A query that sees no key gives zeros.
    """
    merged = q.ndim == 3
    if merged and heads is not None:
        q = q.unflatten(-1, (heads[0], -1)).transpose(1, 2)
        k = k.unflatten(-1, (heads[1], -1)).transpose(1, 2)
        v = v.unflatten(-1, (heads[1], -1)).transpose(1, 2)
    offset: int | torch.Tensor = 0
    if past_key is not None and past_value is not None:
        offset = past_key.shape[2]
        k, v = torch.cat((past_key, k), dim=2), torch.cat((past_value, v), dim=2)
    elif lengths is not None:
        offset = (lengths - q.shape[2]).reshape(-1, 1, 1, 1)
    present_key, present_value = k, v
    if q.shape[1] != k.shape[1]:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        v = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)
    root = (q.shape[-1] ** -0.5 if scale is None else scale) ** 0.5
    scores = (q * root) @ (k * root).transpose(-1, -2)
    taken = scores
    if softcap > 0:
        scores = softcap * torch.tanh(scores / softcap)
    if products == "capped":
        taken = scores
    bias = attention_bias(q, k, mask, offset, is_causal, window, lengths)
    scores = scores + bias
    if products == "biased":
        taken = scores
    weights = torch.softmax(scores, dim=-1, dtype=softmax_dtype)
    weights = weights.masked_fill(bias.amax(dim=-1, keepdim=True) == float("-inf"), 0.0).to(q.dtype)
    if products == "softmax":
        taken = weights
    y = weights @ v
    return y.transpose(1, 2).flatten(2) if merged else y, present_key, present_value, taken


def capped_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    softcap: float,
    mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """Attention whose scores a tanh bounds by `softcap`; several heads of queries may share one of keys."""
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, dim=-1) @ v


def rotary_embedding(
    x: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    position_ids: torch.Tensor | None = None,
    num_heads: int | None = None,
    rotary_dim: int = 0,
    interleaved: bool = False,
) -> torch.Tensor:
    """Rotates pairs of features of x, (batch, heads, length, size) or (batch, length, heads * size), by their angles.

    cos and sin are (batch, length, half), or (positions, half) with the `position_ids` of each element.
    """
    merged = x.ndim == 3
    if merged:
        x = x.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    size = rotary_dim or x.shape[-1]
    if position_ids is not None:
        cos, sin = cos[position_ids], sin[position_ids]
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    rotated, rest = x[..., :size], x[..., size:]
    if interleaved:
        first, second = rotated[..., 0::2], rotated[..., 1::2]
    else:
        first, second = rotated.chunk(2, dim=-1)
    pair = (cos * first - sin * second, sin * first + cos * second)
    rotated = torch.stack(pair, dim=-1).flatten(-2) if interleaved else torch.cat(pair, dim=-1)
    y = torch.cat((rotated, rest), dim=-1) if rotary_dim else rotated
    return y.transpose(1, 2).flatten(2) if merged else y


def rotate_halves(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotates pairs of features, one of each half, by angles whose cosines and sines stand at both."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def rotate_neighbours(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotates pairs of neighbouring features by angles whose cosines and sines stand at both."""
    first, second = x[..., ::2], x[..., 1::2]
    return x * cos + torch.stack((-second, first), dim=-1).flatten(-2) * sin
