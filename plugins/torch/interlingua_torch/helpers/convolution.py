"""Convolutions that torch has no function for."""

import torch
import torch.nn.functional as F


def deform_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    offset: torch.Tensor,
    bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
) -> torch.Tensor:
    """Convolution whose taps are moved by offsets (y before x) and weighed by a mask; outside of x there are zeros.

    x is (N, C, H, W), weight (O, C / groups, kH, kW), offset (N, offset_groups * kH * kW * 2, H', W').
    """
    batch, channels, height, width = x.shape
    outputs, _, kernel_height, kernel_width = weight.shape
    out_height, out_width = offset.shape[2:]
    taps = kernel_height * kernel_width

    def positions(axis: int, count: int, kernel: int) -> torch.Tensor:
        start = torch.arange(count, device=x.device, dtype=x.dtype) * stride[axis] - padding[axis]
        tap = torch.arange(kernel, device=x.device, dtype=x.dtype) * dilation[axis]
        return tap[:, None] + start

    rows = positions(0, out_height, kernel_height)[:, None, :, None].expand(-1, kernel_width, -1, out_width)
    columns = positions(1, out_width, kernel_width)[None, :, None, :].expand(kernel_height, -1, out_height, -1)
    moved = offset.reshape(batch * offset_groups, taps, 2, out_height, out_width)
    y = moved[:, :, 0] + rows.reshape(taps, out_height, out_width)
    z = moved[:, :, 1] + columns.reshape(taps, out_height, out_width)
    parts = x.reshape(batch * offset_groups, channels // offset_groups, height * width)
    sampled = torch.zeros((), device=x.device, dtype=x.dtype)
    top, left = y.floor(), z.floor()
    for row, row_share in ((top, top + 1 - y), (top + 1, y - top)):
        for column, column_share in ((left, left + 1 - z), (left + 1, z - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            at = row.long().clamp(0, height - 1) * width + column.long().clamp(0, width - 1)
            taken = parts.gather(2, at.flatten(1)[:, None].expand(-1, parts.shape[1], -1))
            sampled = sampled + taken * (row_share * column_share * inside).flatten(1)[:, None]
    sampled = sampled.reshape(batch, offset_groups, channels // offset_groups, taps, out_height, out_width)
    if mask is not None:
        sampled = sampled * mask.reshape(batch, offset_groups, 1, taps, out_height, out_width)
    sampled = sampled.reshape(batch, groups, channels // groups * taps, out_height * out_width)
    kernels = weight.reshape(groups, outputs // groups, channels // groups * taps)
    result = torch.einsum("ngkl,gok->ngol", sampled, kernels).reshape(batch, outputs, out_height, out_width)
    return result if bias is None else result + bias.reshape(-1, 1, 1)


def same_pads(
    x: torch.Tensor, kernel_size: list[int], stride: list[int], dilation: list[int], lower: bool = False
) -> list[int]:
    """The pads (all begins, then all ends) under which windows give x's size divided by the stride, rounded up.

    The odd element goes to the end, or to the begin with `lower`.
    """
    begins: list[int] = []
    ends: list[int] = []
    for axis, kernel in enumerate(kernel_size):
        size = x.shape[x.ndim - len(kernel_size) + axis]
        reach = (kernel - 1) * dilation[axis] + 1
        total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
        begins.append(total - total // 2 if lower else total // 2)
        ends.append(total - begins[-1])
    return begins + ends


def pad_same(
    x: torch.Tensor, kernel_size: list[int], stride: list[int], dilation: list[int], lower: bool = False
) -> torch.Tensor:
    """Pads the spatial axes with zeros so that windows give x's size divided by the stride, rounded up."""
    pads = same_pads(x, kernel_size, stride, dilation, lower)
    rank = len(kernel_size)
    return F.pad(x, [pad for axis in reversed(range(rank)) for pad in (pads[axis], pads[rank + axis])])


def conv_transpose(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    pads: list[int],
    output_padding: list[int],
    dilation: list[int],
    groups: int = 1,
) -> torch.Tensor:
    """Transposed convolution with pads (all begins, then all ends) and an output padding of any size."""
    rank = weight.ndim - 2
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    x = function(x, weight, stride=stride, dilation=dilation, groups=groups)
    edges: list[int] = []
    for axis in reversed(range(rank)):
        edges += [-pads[axis], output_padding[axis] - pads[rank + axis]]
    x = F.pad(x, edges)
    return x if bias is None else x + bias.reshape(-1, *[1] * rank)
