"""Perturbed networks prove something: values are moved, outputs tell inputs apart, and rounding stays small."""

from __future__ import annotations

import copy
import itertools
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import perturb
from zoo_rows import images

DEPTH = 40
TOLERANCE = 1e-4
"""Of the zoo's proofs."""


def stack(depth: int = DEPTH) -> nn.Sequential:
    """Convolution, batch norm and ReLU, again and again."""
    torch.manual_seed(0)
    widths = [3, *[16] * depth]
    layers = [
        layer
        for inputs, outputs in itertools.pairwise(widths)
        for layer in (nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
    ]
    return nn.Sequential(*layers)


def rounding(network: nn.Module, *inputs: torch.Tensor) -> float:
    """How far the network in float32 stands from itself in float64."""
    with torch.no_grad():
        narrow = network(*inputs)
        wide = copy.deepcopy(network).double()(*(each.double() for each in inputs))
    return float((narrow - wide).abs().max() / wide.abs().max())


def test_a_deep_network_does_not_amplify_rounding() -> None:
    inputs = images(24)(2)
    assert rounding(perturb.perturb(stack().eval(), inputs), *inputs) < TOLERANCE


def test_statistics_as_observed_would_amplify_it(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = images(24)(2)
    monkeypatch.setattr(perturb, "_OFF_KINK", 0.0)
    assert rounding(perturb.perturb(stack().eval(), inputs), *inputs) > 3 * TOLERANCE


def test_outputs_tell_inputs_apart() -> None:
    inputs = images(24)(2)
    with torch.no_grad():
        first, second = perturb.perturb(stack().eval(), inputs)(*inputs)
    assert (first - second).norm() > 0.1 * first.norm()


def test_nothing_stays_constant_or_where_it_began() -> None:
    before = stack(3).eval()
    after = perturb.perturb(copy.deepcopy(before), images(24)(2))
    for (name, was), now in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        if was.is_floating_point():
            assert not torch.equal(was, now) and now.std() > 0, name
