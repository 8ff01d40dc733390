"""Padding, cutting and joining where one call of PyTorch has another rule."""

import itertools

import torch
import torch.nn.functional as F


def pad_axes(x: torch.Tensor, pads: list[tuple[int, int]], mode: str) -> torch.Tensor:
    """`x` with elements before and after each axis by mode reflect, edge or wrap; negative pads cut."""
    for axis, (before, after) in enumerate(pads):
        size = x.shape[axis]
        places = torch.arange(-before, size + after, device=x.device)
        if mode == "edge":
            places = places.clamp(0, size - 1)
        elif mode == "wrap":
            places = places % size
        else:
            period = max(2 * (size - 1), 1)
            places = places % period
            places = torch.minimum(places, period - places).clamp(0, size - 1)
        x = x.index_select(axis, places)
    return x


def pad_some_axes(
    x: torch.Tensor, pads: list[int], axes: list[int] | None = None, mode: str = "constant", value: float = 0.0
) -> torch.Tensor:
    """`x` padded along `axes` (all of them where unsaid); `pads` are all begins, then all ends."""
    axes = list(range(x.ndim)) if axes is None else axes
    pairs = [(0, 0)] * x.ndim
    for number, axis in enumerate(axes):
        pairs[axis] = (pads[number], pads[number + len(axes)])
    if mode == "constant":
        return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=value)
    return pad_axes(x, pairs, mode)


def center_crop_pad(x: torch.Tensor, sizes: list[int], axes: list[int]) -> torch.Tensor:
    """`x` cut, or padded with zeros, around the centre of `axes` to `sizes`."""
    pads = [0] * (2 * x.ndim)
    for axis, size in zip(axes, sizes, strict=True):
        more = size - x.shape[axis]
        before = more // 2 if more > 0 else -(-more // 2)
        last = (x.ndim - 1 - axis) % x.ndim
        pads[2 * last : 2 * last + 2] = [before, more - before]
    return F.pad(x, pads)


def columns_to_image(
    columns: torch.Tensor,
    image: list[int],
    block: list[int],
    strides: list[int],
    pads: list[int],
    dilations: list[int],
) -> torch.Tensor:
    """The sum of overlapping blocks (N, C · block, places) at their places in the image (N, C, *image)."""
    count = len(image)
    begin, end = pads[:count], pads[count:]
    whole = [before + size + after for before, size, after in zip(begin, image, end, strict=True)]
    steps = [
        (size - dilation * (width - 1) - 1) // stride + 1
        for size, dilation, width, stride in zip(whole, dilations, block, strides, strict=True)
    ]
    columns = columns.unflatten(2, steps).unflatten(1, (-1, *block))
    result = columns.new_zeros(columns.shape[0], columns.shape[1], *whole)
    for place in itertools.product(*(range(width) for width in block)):
        where: tuple[slice, ...] = tuple(
            slice(at * dilation, at * dilation + stride * (step - 1) + 1, stride)
            for at, dilation, stride, step in zip(place, dilations, strides, steps, strict=True)
        )
        result[(slice(None), slice(None), *where)] += columns[(slice(None), slice(None), *place)]  # type: ignore[index]
    inner = tuple(slice(before, before + size) for before, size in zip(begin, image, strict=True))
    return result[(slice(None), slice(None), *inner)]


def unsqueeze(x: torch.Tensor, axes: list[int]) -> torch.Tensor:
    """`x` with axes of size 1, which stand at `axes` of the result."""
    count = x.ndim + len(axes)
    for axis in sorted(axis % count for axis in axes):
        x = x.unsqueeze(axis)
    return x


def without(items: list[torch.Tensor], position: int) -> list[torch.Tensor]:
    """The list without the item at `position`, which counts from the end where negative."""
    position %= len(items)
    return items[:position] + items[position + 1 :]


def reshape(x: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """`x` with another shape, in which a 0 copies the size of the axis."""
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def number_range(start: float, end: float, step: float, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """`torch.arange(start, end, step)`, and no numbers where the step leads away from the end."""
    return torch.arange(start, end if (end - start) * step > 0 else start, step, dtype=dtype)
