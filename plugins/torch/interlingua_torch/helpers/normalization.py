"""Normalizations in forms that torch's functions do not take."""

import torch
import torch.nn.functional as F


def batch_norm_training(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    momentum: float = 0.9,
    eps: float = 1e-5,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalization by the batch's own statistics, and the running ones, whose old value weighs `momentum`."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    mean = x.mean(dim=axes).to(running_mean.dtype)
    var = x.var(dim=axes, correction=0).to(running_var.dtype)
    return y, running_mean * momentum + mean * (1 - momentum), running_var * momentum + var * (1 - momentum)


def mean_variance_norm(x: torch.Tensor, dim: list[int]) -> torch.Tensor:
    """x without its mean, divided by its standard deviation, over axes."""
    deviation = x - x.mean(dim=dim, keepdim=True)
    return deviation / (deviation.square().mean(dim=dim, keepdim=True).sqrt() + 1e-9)


def local_response_norm(
    x: torch.Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> torch.Tensor:
    """x / (k + alpha / size * Σx²)^beta; the sum goes over channels, one more after than before for an even size."""
    channels = x.square().transpose(1, -1)
    summed = F.pad(channels, ((size - 1) // 2, size // 2)).unfold(-1, size, 1).sum(-1).transpose(1, -1)
    return x / (k + alpha / size * summed) ** beta


def dropout(x: torch.Tensor, p: float = 0.5, training: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """x with a share of its elements zeroed and the others scaled, if training; and which of them stay."""
    if not training or p == 0:
        return x, torch.ones_like(x, dtype=torch.bool)
    mask = torch.rand_like(x) >= p
    return torch.where(mask, x / (1 - p), 0), mask
