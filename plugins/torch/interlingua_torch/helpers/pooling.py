"""Pooling with what torch's functions do not take: uneven and wide padding, dilated means, whole-tensor indices."""

import torch
import torch.nn.functional as F


def pad_windows(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    ceil_mode: bool,
    value: float,
) -> torch.Tensor:
    """Pads the spatial axes: by `pads` (all begins, then all ends), and until the last window is whole.

    With `ceil_mode` a window may reach over the end, as long as it begins before the padding there.
    """
    rank = len(kernel_size)
    edges: list[int] = []
    for axis in reversed(range(rank)):
        size = x.shape[2 + axis] + pads[axis] + pads[rank + axis]
        rest = size - (kernel_size[axis] - 1) * dilation[axis] - 1
        count = (-(-rest // stride[axis]) if ceil_mode else rest // stride[axis]) + 1
        if ceil_mode and (count - 1) * stride[axis] >= x.shape[2 + axis] + pads[axis]:
            count -= 1
        over = (count - 1) * stride[axis] - rest
        edges += [pads[axis], pads[rank + axis] + over]
    return F.pad(x, edges, value=value)


def max_pool(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    ceil_mode: bool = False,
) -> torch.Tensor:
    """Maximum over windows with pads of any size (all begins, then all ends)."""
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel_size) - 1]
    data = x if x.is_floating_point() else x.double()
    data = pad_windows(data, kernel_size, stride, pads, dilation, ceil_mode, float("-inf"))
    return function(data, kernel_size, stride, dilation=dilation).to(x.dtype)


def max_pool_with_indices(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    ceil_mode: bool = False,
    column_major: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maximum over windows, and where in the whole flattened x each stands (column by column if said so)."""
    rank = len(kernel_size)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
    data = x if x.is_floating_point() else x.double()
    data = pad_windows(data, kernel_size, stride, pads, dilation, ceil_mode, float("-inf"))
    y, flat = function(data, kernel_size, stride, dilation=dilation, return_indices=True)
    sizes = x.shape[2:]
    place = torch.zeros_like(flat)
    factor = 1
    positions = []
    for axis in reversed(range(rank)):
        positions.append(flat % data.shape[2 + axis] - pads[axis])
        flat = flat // data.shape[2 + axis]
    axes = range(rank) if column_major else reversed(range(rank))
    for axis in axes:
        place = place + positions[rank - 1 - axis] * factor
        factor = factor * sizes[axis]
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(x.shape[0], x.shape[1], *[1] * rank)
    return y.to(x.dtype), place + planes * factor


def sum_windows(x: torch.Tensor, kernel_size: list[int], stride: list[int], dilation: list[int]) -> torch.Tensor:
    """Sum of each window of each channel."""
    function = (F.conv1d, F.conv2d, F.conv3d)[len(kernel_size) - 1]
    ones = torch.ones(1, 1, *kernel_size, dtype=x.dtype, device=x.device)
    summed = function(x.flatten(0, 1).unsqueeze(1), ones, stride=stride, dilation=dilation)
    return summed.squeeze(1).unflatten(0, x.shape[:2])


def average_pool(
    x: torch.Tensor,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> torch.Tensor:
    """Mean over windows, padding (all begins, then all ends) counted or not; what lies beyond it never counts."""
    rank = len(kernel_size)
    counted = torch.ones_like(x[:1, :1])
    window = (kernel_size, stride, pads, dilation, ceil_mode)
    if count_include_pad:
        edges: list[int] = []
        for axis in reversed(range(rank)):
            edges += [pads[axis], pads[rank + axis]]
        padded = F.pad(counted, edges, value=1.0)
        whole = pad_windows(counted, *window, 0.0)
        over = [whole.shape[2 + axis] - padded.shape[2 + axis] for axis in reversed(range(rank))]
        counted = F.pad(padded, [edge for size in over for edge in (0, size)])
    else:
        counted = pad_windows(counted, *window, 0.0)
    total = sum_windows(pad_windows(x, *window, 0.0), kernel_size, stride, dilation)
    return total / sum_windows(counted, kernel_size, stride, dilation)


def lp_pool(
    x: torch.Tensor,
    p: int,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    ceil_mode: bool = False,
) -> torch.Tensor:
    """p-norm of windows, with pads (all begins, then all ends)."""
    powers = pad_windows(x.abs() ** p, kernel_size, stride, pads, dilation, ceil_mode, 0.0)
    return sum_windows(powers, kernel_size, stride, dilation) ** (1 / p)


def max_unpool(
    x: torch.Tensor,
    indices: torch.Tensor,
    kernel_size: list[int],
    stride: list[int],
    pads: list[int],
    output_shape: list[int] | None = None,
) -> torch.Tensor:
    """Puts each element where `indices`, into the whole flattened result, says; zeros elsewhere.

    A larger `output_shape` adds zeros at the ends.
    """
    rank = len(kernel_size)
    sizes = [x.shape[0], x.shape[1]]
    for axis in range(rank):
        grown = (x.shape[2 + axis] - 1) * stride[axis] + kernel_size[axis]
        sizes.append(grown - pads[axis] - pads[rank + axis])
    flat = torch.zeros(sizes, dtype=x.dtype, device=x.device).flatten()
    y = flat.scatter(0, indices.flatten(), x.flatten()).reshape(sizes)
    if output_shape is None:
        return y
    edges: list[int] = []
    for axis in reversed(range(len(sizes))):
        edges += [0, output_shape[axis] - sizes[axis]]
    return F.pad(y, edges)
