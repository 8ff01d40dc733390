"""A vector that a module adds to what a layer without a bias gave stays that module's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import nn

pytestmark = pytest.mark.slow
WORDS = torch.tensor([[1, 2, 3], [4, 0, 5]])


class Head(nn.Module):
    """As of a language model: the decoder's weight is that of the words."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.decoder = nn.Linear(4, 6, bias=not own)
        self.bias = nn.Parameter(torch.randn(6)) if own else self.decoder.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.decoder(x)
        return x + self.bias if self.decoder.bias is None else x


class Language(nn.Module):
    """Words and the head that reads them back."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(6, 4)
        self.head = Head(own)
        self.head.decoder.weight = self.words.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.words(x))
        return found


def test_a_vector_beside_a_tied_layer_is_the_module_s(tmp_path: Path) -> None:
    made = Generated(Language(own=True), (WORDS,), tmp_path / "out").proved()
    assert "self.decoder = nn.Linear(4, 6, bias=False)" in made.text
    assert "self.decoder(x) + self.bias" in made.text
    assert "head.bias" in made.model.state_dict() and "head.decoder.bias" not in made.model.state_dict()


def test_the_bias_of_a_tied_layer_stays_its_own(tmp_path: Path) -> None:
    source = Language(own=False)
    made = Generated(source, (WORDS,), tmp_path / "out")
    assert "self.decoder = nn.Linear(4, 6)" in made.text
    assert "self.bias" not in made.text
