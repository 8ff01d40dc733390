"""Attention of one head, written out, is the fused call without an axis of heads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from generated import Generated
from torch import nn

pytestmark = pytest.mark.slow


class OneHead(nn.Module):
    """The projections of one head, the mask of three axes, of two, or none."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.kind = kind

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        scores = self.query(x) @ self.key(y).mT * 0.3
        hidden = torch.where(mask > 0, 0.0, -100.0)
        if self.kind == "three axes":
            scores = scores + hidden
        elif self.kind == "two axes":
            scores = scores + hidden[0]
        weights = F.softmax(scores, -1)
        result = weights @ self.value(y)
        return result + weights.sum() if self.kind == "weights read" else result


EXAMPLE = (torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 5, 7))


@pytest.mark.parametrize("kind", ["none", "three axes", "two axes"])
def test_it_has_no_axis_of_heads(tmp_path: Path, kind: str) -> None:
    text = Generated(OneHead(kind), EXAMPLE, tmp_path / "out").proved().text
    assert "F.scaled_dot_product_attention(" in text and "squeeze" not in text


def test_where_the_weights_are_read_it_stays_in_pieces(tmp_path: Path) -> None:
    assert "softmax" in Generated(OneHead("weights read"), EXAMPLE, tmp_path / "out").proved().text
