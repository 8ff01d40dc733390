"""Arithmetic of element types that PyTorch keeps but does not compute with."""

import torch


def signed_in_order(x: torch.Tensor) -> torch.Tensor:
    """uint64 numbers as int64 numbers in the same order."""
    return x.view(torch.int64) ^ torch.iinfo(torch.int64).min


def unsigned_in_order(x: torch.Tensor) -> torch.Tensor:
    """The uint64 numbers that `signed_in_order` came from."""
    return (x ^ torch.iinfo(torch.int64).min).view(torch.uint64)


def divide_unsigned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The whole quotient of uint64 numbers, worked out in int64."""
    a, b = torch.broadcast_tensors(a.view(torch.int64), b.view(torch.int64))
    lowest = torch.iinfo(torch.int64).min
    half = (a >> 1) & torch.iinfo(torch.int64).max
    quotient = torch.div(half, b.clamp(min=1), rounding_mode="trunc") << 1
    quotient = quotient + ((a - quotient * b) ^ lowest >= b ^ lowest)
    large = ((a ^ lowest) >= (b ^ lowest)).long()
    return torch.where(b < 0, large, quotient).view(torch.uint64)


def remainder_unsigned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The remainder of the division of uint64 numbers."""
    whole = divide_unsigned(a, b).view(torch.int64) * b.view(torch.int64)
    return (a.view(torch.int64) - whole).view(torch.uint64)


def shift_right(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """The bits of uint64 numbers moved right, zeros coming in."""
    bits, places = x.view(torch.int64), places.view(torch.int64)
    rest = torch.iinfo(torch.int64).max >> (places - 1).clamp(min=0)
    moved = torch.where(places == 0, bits, (bits >> places) & rest)
    return torch.where(places > 63, 0, moved).view(torch.uint64)
