"""Fused attention as PyTorch's exporter does not take it: without heads, of five axes, with one head of keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import interlingua
from interlingua.notes import Skipped

pytestmark = pytest.mark.slow
CALL = "F.scaled_dot_product_attention("


class Applied(nn.Module):
    """A function of the projected queries, keys, values and a mask."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.query = nn.Linear(8, 8)
        self.function = function

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.function(self.query(query), key, value, mask)


def _causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True) + mask


Shape = tuple[int, ...]
CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[Shape, Shape, Shape], str]] = {
    "no heads": (F.scaled_dot_product_attention, ((2, 5, 8), (2, 6, 8), (2, 5, 6)), "attn_mask=mask)"),
    "no heads, causal": (_causal, ((2, 5, 8), (2, 5, 8), (1,)), "key, value, is_causal=True)"),
    "no batch": (F.scaled_dot_product_attention, ((5, 8), (6, 8), (5, 6)), "attn_mask=mask"),
    "five axes": (F.scaled_dot_product_attention, ((2, 3, 4, 5, 8), (2, 3, 4, 6, 8), (3, 1, 5, 6)), CALL),
    "one mask of five axes": (F.scaled_dot_product_attention, ((2, 3, 4, 5, 8), (3, 4, 6, 8), (1, 1, 1, 5, 6)), CALL),
    "one head of keys": (F.scaled_dot_product_attention, ((2, 4, 5, 8), (2, 1, 6, 8), (5, 6)), "enable_gqa=True"),
    "one query for a batch": (F.scaled_dot_product_attention, ((1, 4, 5, 8), (2, 4, 6, 8), (2, 4, 5, 6)), CALL),
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_exporter_takes_attention_of_other_axes(tmp_path: Path, name: str) -> None:
    function, (query, key, mask), said = CASES[name]
    example = tuple(torch.randn(shape) for shape in (query, key, key, mask))
    source = Applied(function)
    report = interlingua.convert(source, "torch", tmp_path / "out", example_inputs=example)
    text = (report.folder / "model.py").read_text()
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert not [note for note in report.notes if isinstance(note, Skipped)]
    assert CALL in text and said in text
    assert "self.query" in text
