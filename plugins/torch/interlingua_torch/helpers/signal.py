"""Fourier transforms over tensors of real and imaginary parts, and filter banks."""

import torch


def fourier(
    x: torch.Tensor, length: int | None = None, dim: int = -2, inverse: bool = False, onesided: bool = False
) -> torch.Tensor:
    """Discrete Fourier transform along `dim`; the last axis of x and of the result holds real and imaginary parts.

    One-sided, a real signal becomes half of its spectrum, and (inverse) half of a spectrum becomes a real signal.
    """
    dim = dim + 1 if dim < 0 else dim
    if onesided and inverse:
        return torch.fft.irfft(torch.view_as_complex(x.contiguous()), length, dim).unsqueeze(-1)
    if onesided:
        return torch.view_as_real(torch.fft.rfft(x[..., 0], length, dim))
    signal = torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x[..., 0]
    transform = torch.fft.ifft if inverse else torch.fft.fft
    return torch.view_as_real(transform(signal, length, dim))


def short_time_fourier(
    signal: torch.Tensor,
    step: int,
    window: torch.Tensor | None = None,
    length: int | None = None,
    onesided: bool = True,
) -> torch.Tensor:
    """Fourier transforms (batch, frames, frequencies, 2) of windows over a signal (batch, length, 1 or 2)."""
    if window is None:
        window = torch.ones(length or signal.shape[1], dtype=signal.dtype, device=signal.device)
    if signal.ndim == 2:
        signal = signal.unsqueeze(-1)
    frames = signal.unfold(1, window.shape[0], step) * window
    frames = frames.movedim(2, -1)
    if onesided:
        return torch.view_as_real(torch.fft.rfft(frames[..., 0]))
    whole = torch.view_as_complex(frames.contiguous()) if frames.shape[-1] == 2 else frames[..., 0]
    return torch.view_as_real(torch.fft.fft(whole))


def mel_weights(
    bins: int, length: int, rate: int, lowest: float, highest: float, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Triangular filters (frequencies, bins), evenly spaced on the mel scale, that gather a spectrum into bins."""
    edges = torch.tensor([lowest, highest], dtype=torch.float64)
    low, high = 2595 * torch.log10(1 + edges / 700)
    mels = torch.arange(bins + 2, dtype=torch.float64) * ((high - low) / (bins + 2)) + low
    places = torch.floor((length + 1) * 700 * (10 ** (mels / 2595) - 1) / rate)
    begin, centre, end = places[:-2], places[1:-1], places[2:]
    frequency = torch.arange(length // 2 + 1, dtype=torch.float64)[:, None]
    rising = torch.where(centre > begin, (frequency - begin) / (centre - begin), (frequency == centre).double())
    falling = (end - frequency) / (end - centre)
    rises = (frequency >= begin) & (frequency <= centre)
    falls = (frequency >= centre) & (frequency < end) & (end > centre)
    weights = torch.where(rises, rising, torch.where(falls, falling, 0.0))
    return weights.to(dtype)
