"""Models that draw random numbers: the failed proof says that this is why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import interlingua
from interlingua.errors import VerificationFailed

pytestmark = pytest.mark.slow


class Sampled(nn.Module):
    """A sample of a normal law, as a variational encoder draws one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x)


class Dropped(nn.Module):
    """Dropout that stays on."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5, training=True)


@pytest.mark.parametrize(("source", "operator"), [(Sampled(), "RandomNormalLike"), (Dropped(), "Dropout")])
def test_what_draws_is_told_with_the_failure(source: nn.Module, operator: str, tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match=rf"draws random numbers \({operator} at .*--no-verify"):
        interlingua.convert(source.eval(), "torch", tmp_path / "out", example_inputs=torch.rand(4, 50))
    assert not (tmp_path / "out").exists()


def test_a_model_that_draws_is_written_without_the_proof(tmp_path: Path) -> None:
    interlingua.convert(Sampled(), "torch", tmp_path / "out", example_inputs=torch.rand(4, 50), verify=False)
    assert "torch.randn_like(" in (tmp_path / "out" / "model.py").read_text()
