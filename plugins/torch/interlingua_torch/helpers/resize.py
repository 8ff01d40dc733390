"""Resizing where `F.interpolate` does not place or weigh pixels as asked."""

import math

import torch


def resize(
    x: torch.Tensor,
    axes: list[int],
    *,
    scales: list[float] | None = None,
    sizes: list[int] | None = None,
    roi: list[float] | None = None,
    mode: str = "nearest",
    places: str = "half_pixel",
    nearest: str = "round_prefer_floor",
    cubic_coefficient: float = -0.75,
    antialias: bool = False,
    exclude_outside: bool = False,
    keep_aspect: str = "stretch",
    outside: float = 0.0,
) -> torch.Tensor:
    """`x` resized along `axes`, by `scales` or to `sizes`, one axis after the other."""
    old = [x.shape[axis] for axis in axes]
    if scales is not None:
        new = [math.floor(size * scale) for size, scale in zip(old, scales, strict=True)]
    else:
        assert sizes is not None
        ratios = [size / before for size, before in zip(sizes, old, strict=True)]
        if keep_aspect != "stretch":
            ratio = min(ratios) if keep_aspect == "not_larger" else max(ratios)
            ratios, sizes = [ratio] * len(old), [math.floor(ratio * before + 0.5) for before in old]
        scales, new = ratios, list(sizes)
    dtype = x.dtype
    inside = None
    for number, axis in enumerate(axes):
        start, end = (roi[number], roi[number + len(axes)]) if roi else (0.0, 1.0)
        if new[number] == old[number] and scales[number] == 1 and places != "tf_crop_and_resize":
            continue
        at = resized_places(old[number], new[number], scales[number], places, start, end, x.device)
        if places == "tf_crop_and_resize":
            within = ((at >= 0) & (at <= old[number] - 1)).reshape([-1] + [1] * ((x.ndim - 1 - axis) % x.ndim))
            inside = within if inside is None else inside & within
        if mode == "nearest":
            x = x.index_select(axis, nearest_places(at, nearest).clamp(0, old[number] - 1))
            continue
        stretch = max(1.0, 1 / scales[number]) if antialias else 1.0
        weights = resize_weights(at, old[number], mode, cubic_coefficient, stretch, exclude_outside)
        real = x if x.is_floating_point() else x.float()
        x = (real.movedim(axis, -1) @ weights.to(real.dtype).T).movedim(-1, axis)
    if not dtype.is_floating_point and x.dtype != dtype:
        x = x.round().clamp(torch.iinfo(dtype).min, torch.iinfo(dtype).max).to(dtype)
    return x if inside is None else torch.where(inside, x, outside)


def resized_places(
    old: int, new: int, scale: float, places: str, start: float, end: float, device: torch.device
) -> torch.Tensor:
    """Where each of `new` pixels lies among the `old` ones, which stand at 0, 1, 2, …"""
    at = torch.arange(new, dtype=torch.float32, device=device)
    if places == "align_corners":
        return at * ((old - 1) / (new - 1)) if new > 1 else at * 0
    if places == "asymmetric":
        return at / scale
    if places == "tf_crop_and_resize":
        if new == 1:
            return at + 0.5 * (start + end) * (old - 1)
        return start * (old - 1) + at * ((end - start) * (old - 1) / (new - 1))
    if places == "pytorch_half_pixel" and new == 1:
        return at * 0
    at = (at + 0.5) / scale - 0.5
    if places == "half_pixel_symmetric":
        at = at + old / 2 * (1 - new / (old * scale))
    return at


def nearest_places(at: torch.Tensor, nearest: str) -> torch.Tensor:
    """The whole places nearest to `at`, by one of four rules."""
    if nearest == "round_prefer_floor":
        at = torch.ceil(at - 0.5)
    elif nearest == "round_prefer_ceil":
        at = torch.floor(at + 0.5)
    else:
        at = torch.floor(at) if nearest == "floor" else torch.ceil(at)
    return at.long()


def resize_weights(
    at: torch.Tensor, size: int, mode: str, coefficient: float, stretch: float, exclude_outside: bool
) -> torch.Tensor:
    """The share of each of `size` old pixels in the new ones at `at`; `stretch` widens the kernel."""
    reach = math.ceil((1 if mode == "linear" else 2) * stretch)
    taps = torch.floor(at)[:, None] + torch.arange(1 - reach, reach + 1, device=at.device)
    distance = (at[:, None] - taps).abs() / stretch
    if mode == "linear":
        weights = (1 - distance).clamp(min=0)
    else:
        near = ((coefficient + 2) * distance - (coefficient + 3)) * distance**2 + 1
        far = ((distance - 5) * distance + 8) * distance * coefficient - 4 * coefficient
        weights = torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
    if exclude_outside:
        weights = torch.where((taps >= 0) & (taps < size), weights, 0.0)
    if exclude_outside or stretch > 1:
        weights = weights / weights.sum(dim=1, keepdim=True)
    places = taps.clamp(0, size - 1).long()
    return torch.zeros(len(at), size, device=at.device).scatter_add(1, places, weights)
