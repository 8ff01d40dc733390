"""Reductions that PyTorch has for one axis, and running totals from another end."""

import torch
import torch.nn.functional as F


def product(x: torch.Tensor, axes: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    """The product over several axes; over all where there are none."""
    for axis in sorted((axis % x.ndim for axis in axes or range(x.ndim)), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


def largest(x: torch.Tensor, axes: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    """The maximum over axes; of no elements minus infinity."""
    axes = tuple(axis % x.ndim for axis in axes or range(x.ndim))
    if not x.numel():
        x = x.new_full([1 if axis in axes else size for axis, size in enumerate(x.shape)], -torch.inf)
    return x.amax(axes, keepdim=keepdim)


def smallest(x: torch.Tensor, axes: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    """The minimum over axes; of no elements infinity."""
    return -largest(-x, axes, keepdim)


def cumulative_sum(x: torch.Tensor, axis: int, exclusive: bool = False, reverse: bool = False) -> torch.Tensor:
    """The running sum along an axis, without the element itself or from the end where said."""
    x = x.flip(axis) if reverse else x
    if exclusive:
        x = F.pad(x.movedim(axis, -1), (1, 0))[..., :-1].movedim(-1, axis)
    total = x.cumsum(axis)
    return total.flip(axis) if reverse else total


def cumulative_product(x: torch.Tensor, axis: int, exclusive: bool = False, reverse: bool = False) -> torch.Tensor:
    """The running product along an axis, without the element itself or from the end where said."""
    x = x.flip(axis) if reverse else x
    if exclusive:
        x = F.pad(x.movedim(axis, -1), (1, 0), value=1)[..., :-1].movedim(-1, axis)
    total = x.cumprod(axis)
    return total.flip(axis) if reverse else total
