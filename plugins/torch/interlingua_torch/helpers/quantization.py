"""Quantized tensors: to whole numbers and back."""

import torch


def along_axis(values: torch.Tensor, x: torch.Tensor, axis: int, block_size: int) -> torch.Tensor:
    """Scales or zero points as they stand beside the elements of `x`: one in all, one an axis, one a block."""
    if block_size:
        return values.repeat_interleave(block_size, dim=axis).narrow(axis, 0, x.shape[axis])
    if values.numel() == 1:
        return values.reshape([])
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


def quantize(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`x / scale` rounded, plus the zero point, held within the range of whole numbers of the type."""
    limits = torch.iinfo(dtype)
    number = torch.round(x / scale) + zero_point.to(x.dtype)
    return number.clamp(limits.min, limits.max).to(torch.int32).to(dtype)


def quantize_dynamically(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`x` as uint8 with the scale and zero point of its own range, which always holds 0."""
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1.0, scale)
    zero_point = torch.round(-low / scale).clamp(0, 255).to(torch.uint8)
    return quantize(x, scale, zero_point, torch.uint8), scale, zero_point
