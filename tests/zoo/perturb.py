"""Moves every parameter and buffer away from where its initialiser left it.

Fresh models prove little: zeros, ones and equal tensors hide what a converter drops, swaps or merges, and layers whose
scale begins at zero switch off the branch behind them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_MILD = 0.1
_OFF_KINK = 0.5
_CONSTANT_SPREAD = 1e-6


def perturb(module: nn.Module, inputs: tuple[Any, ...], seed: int = 1) -> nn.Module:
    """The module, perturbed in place: no parameter stays constant, statistics are those of used layers.

    Running statistics are taken from a pass over `inputs`, and moved; without them the signal dies or explodes in deep
    networks, and a comparison of outputs that do not depend on the inputs proves nothing.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    known = {id(buffer) for norm in norms for buffer in norm.buffers()}
    with torch.no_grad():
        for parameter in module.parameters():
            _move(parameter, generator)
        for buffer in module.buffers():
            if id(buffer) not in known and buffer.is_floating_point() and bool(torch.isfinite(buffer).all()):
                buffer.mul_(1.0 + 0.01 * torch.rand(buffer.shape, generator=generator))
        _observe(module, norms, inputs, generator)
    return module


def _observe(module: nn.Module, norms: list[_BatchNorm], inputs: tuple[Any, ...], generator: torch.Generator) -> None:
    """Sets running statistics to those of what comes in, moved, layer by layer in one pass.

    A layer sees what the moved ones before it give. Statistics of the model as it was would let each layer amplify a
    little; in a deep network that adds up to outputs that even two runs of PyTorch do not agree on.
    """
    left = dict.fromkeys(norms)

    def settle(norm: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm) and norm.running_mean is not None and norm.running_var is not None
        axes = [axis for axis in range(given[0].ndim) if axis != 1]
        norm.running_mean.copy_(given[0].mean(axes))
        norm.running_var.copy_(given[0].var(axes, correction=0))
        _move_statistics(norm, generator)
        left.pop(norm, None)

    handles = [norm.register_forward_pre_hook(settle) for norm in norms]
    if norms:
        module.eval()(*_widened(inputs, generator))
    for handle in handles:
        handle.remove()
    for norm in left:
        _move_statistics(norm, generator)


def _widened(inputs: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """The inputs and as much noise of their mean and spread, where they are batches of real numbers.

    What a few alike inputs never excite would otherwise count as without variance and be amplified, rounding too.
    """
    if not all(isinstance(each, torch.Tensor) and each.is_floating_point() for each in inputs):
        return inputs
    noise = (each.mean() + each.std() * torch.randn(each.shape, generator=generator) for each in inputs)
    return tuple(torch.cat(pair) for pair in zip(inputs, noise, strict=True))


def _move_statistics(norm: _BatchNorm, generator: torch.Generator) -> None:
    """Moves the statistics, the means half a deviation below what was observed.

    A ReLU whose arguments are centred at its kink passes on a third of their variance and half of what was rounded, so
    that each pair of batch norm and ReLU amplifies rounding by 1.2: a fresh DeepLab-50 in float32 stands 1e-4 from
    itself in float64. Half a deviation off the kink it is 1.1, and a fourteenth of that distance.
    """
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    variance.clamp_(min=max(float(variance.mean()) * 0.05, 1e-3))
    mean.add_(variance.sqrt() * (_MILD * torch.randn(mean.shape, generator=generator) - _OFF_KINK))
    variance.mul_(0.5 + torch.rand(variance.shape, generator=generator))


def _move(parameter: torch.Tensor, generator: torch.Generator) -> None:
    """Adds mild noise; a matrix that is constant or nearly zero is drawn anew, at the scale that keeps variance."""
    noise = torch.randn(parameter.shape, generator=generator)
    spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
    kept = 1.0 / math.sqrt(max(1, parameter[0].numel())) if parameter.ndim > 1 else _MILD
    if parameter.ndim > 1 and spread < 0.2 * kept:
        parameter.copy_(kept * noise)
    elif spread < _CONSTANT_SPREAD:
        parameter.add_(_MILD * noise)
    else:
        parameter.add_(_MILD * spread * noise)
