"""Weights that a module computes from others: parametrizations, standardized weights."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import interlingua


class Standardized(nn.Conv2d):
    """A convolution by its weight normalized over each output, times a gain: `ScaledStdConv2d` of normalizer-free nets.

    `gamma` differs between layers of one class, and bears no name of a weight.
    """

    def __init__(self, inputs: int, outputs: int, gamma: float) -> None:
        super().__init__(inputs, outputs, 3)
        self.gain = nn.Parameter(torch.randn(outputs, 1, 1, 1))
        self.scale = gamma

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat, gain = self.weight.reshape(1, self.out_channels, -1), (self.gain * self.scale).view(-1)
        weight = F.batch_norm(flat, None, None, weight=gain, training=True, momentum=0.0, eps=1e-6)
        return F.conv2d(x, weight.reshape_as(self.weight), self.bias)


class Both(nn.Module):
    """Two standardized convolutions, and one with weight norm, whose parametrization has numbered and named parts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Standardized(2, 4, 0.3)
        self.second = Standardized(4, 3, 0.7)
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 5, 3), dim=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(F.relu(self.second(self.first(x))))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    torch.manual_seed(0)
    source, out = Both().eval(), tmp_path_factory.mktemp("parametrized") / "out"
    report = interlingua.convert(source, "torch", out, example_inputs=torch.randn(2, 2, 9, 9))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert not [note for note in report.notes if "one class" in note.text]
    return source, out


@pytest.mark.slow
def test_computed_weights_are_parameters_under_the_names_of_the_source(written: tuple[nn.Module, Path]) -> None:
    source, out = written
    module = runpy.run_path(str(out / "model.py"))
    generated = module["load"]()
    generated.load_state_dict(source.state_dict(), strict=True)
    x = torch.randn(3, 2, 9, 9)
    for each in (source, generated):
        each(x).square().mean().backward()
    wanted = dict(source.named_parameters())
    assert wanted.keys() == dict(generated.named_parameters()).keys()
    for name, parameter in generated.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad)


def test_standardized_convolutions_are_one_class(written: tuple[nn.Module, Path]) -> None:
    _, out = written
    text = (out / "model.py").read_text()
    assert text.count("class Standardized") == 1 and text.count("F.instance_norm(") == 1
    assert "self.last.parametrizations" in text or "self.parametrizations.weight" in text
