"""What the zoo's rows are measured by: gradients beside a kink, wrong ones, and numbers that are none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
import measures

INPUTS = (torch.ones(2, 3),)
SMALL = 1.5 * 2**-25
"""Lost when added to 1 in float32, kept when added to -1: the order of a sum decides on which side of zero it is."""


class Kinked(nn.Module):
    """A ReLU of 1 + SMALL - 1, added from the left or from the right, and a layer beside it."""

    def __init__(self, *, left: bool, slope: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, SMALL, -1.0]))
        self.other = nn.Parameter(torch.tensor([0.5, -2.0, 3.0]))
        self.left, self.slope = left, slope

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = (self.weight * x).unbind(-1)
        total = (first + second) + third if self.left else first + (second + third)
        return F.relu(self.slope * total) + (self.other * x).sum(-1)


class Narrow(Kinked):
    """One whose code fixes the type, and which keeps what it computed."""

    def __init__(self, *, left: bool, dtype: torch.dtype) -> None:
        super().__init__(left=left)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        self.kept = super().forward(x.to(self.dtype)) + F.linear(x.to(self.dtype), self.weight.to(self.dtype)) * 0.0
        return self.kept


class Lost(nn.Module):
    """A gradient that is no number in the first of two parameters, where the results are right."""

    def __init__(self, *, root: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
        self.root = root

    def forward(self, x: Tensor) -> Tensor:
        none = self.first * 0.0
        return x * self.second + (none.sqrt() if self.root else none)


def test_a_unit_at_its_kink_is_judged_in_float64() -> None:
    found = measures.gradients_agree(Kinked(left=True), Kinked(left=False), INPUTS, {}, set())
    assert found["agrees"] and found["dtype"] == "float64" and found["relative"] < 1e-12
    assert found["float32"]["worst"] == "weight" and found["float32"]["relative"] > measures.GRADIENTS


def test_gradients_that_agree_are_compared_in_their_own_type() -> None:
    found = measures.gradients_agree(Kinked(left=True), Kinked(left=True), INPUTS, {}, set())
    assert found == {"agrees": True, "relative": 0.0, "worst": "", "parameters": 2}


def test_a_wrong_gradient_is_wrong_in_float64_too() -> None:
    """Even where the results differ by no more than rounding."""
    wrong = Kinked(left=False, slope=1.01)
    assert measures.outputs_agree(Kinked(left=False), wrong, INPUTS)["agrees"]
    found = measures.gradients_agree(Kinked(left=False), wrong, INPUTS, {}, set())
    assert not found["agrees"] and found["dtype"] == "float64"
    assert found["worst"] == "weight" and found["relative"] == pytest.approx(0.01, rel=0.1)


def test_code_that_says_float32_is_judged_in_float64_too() -> None:
    first, second = (Narrow(left=left, dtype=torch.float32) for left in (True, False))
    found = measures.gradients_agree(first, second, INPUTS, {}, set())
    assert found["agrees"] and found["dtype"] == "float64" and found["relative"] < 1e-12


def test_a_module_that_does_not_take_float64_is_not_excused() -> None:
    class Refusing(Kinked):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + F.linear(x, torch.from_numpy(np.ones(3, np.float32))) * 0.0

    found = measures.gradients_agree(Kinked(left=True), Refusing(left=False), INPUTS, {}, set())
    assert not found["agrees"] and found["relative"] > measures.GRADIENTS
    assert found["reason"] == "not in float64: RuntimeError"


def test_a_gradient_that_is_no_number_is_not_lost_among_the_others() -> None:
    found = measures.gradients_agree(Lost(root=False), Lost(root=True), INPUTS, {}, set())
    assert not found["agrees"] and found["worst"] == "first" and found["relative"] == float("inf")


def test_a_result_that_is_no_number_does_not_agree() -> None:
    class Both(nn.Module):
        def __init__(self, first: float) -> None:
            super().__init__()
            self.first = first

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x * self.first

    assert not measures.outputs_agree(Both(1.0), Both(float("nan")), INPUTS)["agrees"]
