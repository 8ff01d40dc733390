"""Gathering and scattering where one call of PyTorch has another rule."""

import torch


def gather_nd(x: torch.Tensor, indices: torch.Tensor, batch_dims: int) -> torch.Tensor:
    """The slices of `x` named by the tuples in the last axis of `indices`; the first `batch_dims` axes go together."""
    shape = x.shape[:batch_dims]
    x, indices = x.flatten(0, batch_dims - 1), indices.flatten(0, batch_dims - 1)
    batch = torch.arange(len(x), device=x.device).reshape([-1] + [1] * (indices.ndim - 2))
    return x[(batch, *indices.unbind(-1))].unflatten(0, shape)


def scatter_nd(x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor, reduce: str) -> torch.Tensor:
    """`x` joined by `reduce` with `updates`, at the slices named by the tuples in the last axis of `indices`."""
    named = x.shape[: indices.shape[-1]]
    place = torch.zeros_like(indices[..., 0])
    for size, index in zip(named, indices.unbind(-1), strict=True):
        place = place * size + index % size
    flat = x.reshape(-1, *x.shape[len(named) :])
    updates = updates.reshape(-1, *flat.shape[1:])
    place = place.reshape([-1] + [1] * (flat.ndim - 1)).expand_as(updates)
    return flat.scatter_reduce(0, place, updates, reduce).reshape(x.shape)


def one_hot(indices: torch.Tensor, depth: int, values: torch.Tensor, axis: int) -> torch.Tensor:
    """`values[1]` where the new axis has the index, else `values[0]`; negative indices count from the end."""
    indices = torch.where(indices < 0, indices + depth, indices).unsqueeze(axis)
    places = torch.arange(depth, device=indices.device)
    places = places.reshape([-1] + [1] * ((indices.ndim - 1 - axis) % indices.ndim))
    return torch.where(indices == places, values[1], values[0])


def tensor_scatter(
    cache: torch.Tensor, update: torch.Tensor, start: torch.Tensor | None, axis: int, circular: bool
) -> torch.Tensor:
    """`cache` with `update` written along `axis`, each sequence from its own `start`."""
    shape = [1] * cache.ndim
    shape[axis] = -1
    places = torch.arange(update.shape[axis], device=cache.device).reshape(shape)
    if start is not None:
        places = places + start.reshape([-1] + [1] * (cache.ndim - 1))
    if circular:
        places = places % cache.shape[axis]
    return cache.scatter(axis, places.expand_as(update), update)


def slice_steps(x: torch.Tensor, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> torch.Tensor:
    """`x[start:end:step]` along each of the axes, backward where the step is negative."""
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = torch.arange(x.shape[axis], device=x.device)
        if step < 0:
            start, end, places = -start - 1, -end - 1, places.flip(0)
        x = x.index_select(axis, places[start : end : abs(step)])
    return x


def unique(x: torch.Tensor, axis: int | None, ordered: bool) -> tuple[torch.Tensor, ...]:
    """The different elements (or slices along `axis`), where each stands first, which each one is, and how often.

    They are sorted, or else in the order in which they stand first.
    """
    dim = 0 if axis is None else axis
    x = x.flatten() if axis is None else x
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True, dim=dim)
    places = torch.arange(len(inverse), device=x.device)
    first = torch.full_like(counts, len(inverse)).scatter_reduce(0, inverse, places, "amin")
    if not ordered:
        order = first.argsort()
        values, first, counts = values.index_select(dim, order), first[order], counts[order]
        inverse = order.argsort()[inverse]
    return values, first, inverse, counts


def reverse_sequence(x: torch.Tensor, lengths: torch.Tensor, time_axis: int, batch_axis: int) -> torch.Tensor:
    """`x` with the first elements of each sequence, as many as its length, in reverse order."""
    x = x.movedim((batch_axis, time_axis), (0, 1))
    places = torch.arange(x.shape[1], device=x.device)
    lengths = lengths[:, None]
    places = torch.where(places < lengths, lengths - 1 - places, places)
    rows = torch.arange(x.shape[0], device=x.device)[:, None]
    return x[rows, places].movedim((0, 1), (batch_axis, time_axis))
