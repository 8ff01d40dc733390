"""`nn.MultiheadAttention` with masks and of several sources: the module again, of which the source's state loads."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from generated import Generated
from torch import nn

import interlingua

pytestmark = pytest.mark.slow

WIDTH, HEADS = 16, 4


class Masked(nn.Module):
    """Self-attention under each kind of mask, and attention of one sequence to another."""

    def __init__(self) -> None:
        super().__init__()
        self.added = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.by_heads = nn.MultiheadAttention(WIDTH, HEADS)
        self.hidden = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, bias=False)
        self.causal = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.cross = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.unequal = nn.MultiheadAttention(WIDTH, HEADS, kdim=10, vdim=6, batch_first=True)
        self.turned = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, own: torch.Tensor, other: torch.Tensor
    ) -> torch.Tensor:
        told = {"need_weights": False}
        x = x + self.added(x, x, x, attn_mask=mask, key_padding_mask=own.float() * -9.0, **told)[0]
        z = x.transpose(0, 1)
        heads = mask.repeat(x.shape[0] * HEADS, 1, 1) > 1
        x = x + self.by_heads(z, z, z, attn_mask=heads, **told)[0].transpose(0, 1)
        x = x + self.hidden(x, x, x, key_padding_mask=own, **told)[0]
        later = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        x = x + self.causal(x, x, x, attn_mask=later, is_causal=True, **told)[0]
        x = x + self.cross(x, y, y, key_padding_mask=other, **told)[0]
        x = x + self.unequal(x, y[..., :10], y[..., 2:8], key_padding_mask=other, **told)[0]
        return x + self.turned(x, x, x, attn_mask=mask.T, **told)[0]


def example() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    own = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]).bool()
    other = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 1, 0, 0, 0, 0, 0]]).bool()
    return torch.randn(2, 5, WIDTH), torch.randn(2, 7, WIDTH), torch.randn(5, 5), own, other


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return Generated(Masked(), example(), tmp_path_factory.mktemp("masked") / "out")


def test_modules_with_masks_are_the_modules_again(masked: Generated) -> None:
    masked.proved()
    assert masked.classes == ["Model"] and masked.text.count("nn.MultiheadAttention(") == 7
    assert "nn.MultiheadAttention(16, 4, kdim=10, vdim=6, batch_first=True)" in masked.text
    assert "nn.MultiheadAttention(16, 4, bias=False, batch_first=True)" in masked.text
    assert "self.by_heads = nn.MultiheadAttention(16, 4, batch_first=True)" in masked.text
    text = " ".join(masked.text.split())
    assert "attn_mask=mask, key_padding_mask=key_padding_mask, need_weights=False" in text
    assert "generate_square_subsequent_mask(5, device=x.device)" in text and "is_causal=True" in text
    assert text.count("key_padding_mask=other, need_weights=False") == 2
    assert "softmax" not in text and "scaled_dot_product_attention" not in text and "split" not in text


def test_a_row_that_is_masked_whole_is_what_the_layers_of_the_source_make_of_it(masked: Generated) -> None:
    """The module gives NaN in the fast path alone, which takes conditions: those stay numbers where it is taken."""
    x, y, mask, own, other = example()
    own[0], other[1] = True, True
    fast = torch.backends.mha.get_fastpath_enabled()
    assert fast
    with torch.no_grad():
        found = masked.model(x, y, mask, own, other)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            wanted = masked.source(x, y, mask, own, other)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
    assert wanted.isfinite().all()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


class Apart(nn.Module):
    """What is no such call: weights that are read, keys that are appended, a mask of its own for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.weighing = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.appended = nn.MultiheadAttention(WIDTH, HEADS, add_bias_kv=True, batch_first=True)
        self.in_proj_weight = nn.Parameter(torch.randn(3 * WIDTH, WIDTH) * 0.2)
        self.out_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z, weights = self.weighing(x, y, y)
        return z + self.appended(x, y, y, need_weights=False)[0] + self.out_proj(mask @ z), weights


def test_what_the_module_does_not_say_stays_in_pieces(tmp_path: Path) -> None:
    x, y = example()[:2]
    made = Generated(Apart(), (x, y, torch.randn(2, 5, 5)), tmp_path / "out")
    assert "nn.MultiheadAttention" not in made.text and "F.softmax" in made.text
    with torch.no_grad():
        for found, wanted in zip(made.model(x, y, *made.example[2:]), made.source(*made.example), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


class Sequences(nn.Module):
    """`nn.Transformer` as it is called to learn: padding on both sides, and no position sees a later one."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.transformer = nn.Transformer(WIDTH, HEADS, 2, 2, 24, batch_first=batch_first, dropout=0.0)

    def forward(
        self, source: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor, own: torch.Tensor
    ) -> torch.Tensor:
        later = nn.Transformer.generate_square_subsequent_mask(own.shape[1])
        padding = {"src_key_padding_mask": hidden, "tgt_key_padding_mask": own, "memory_key_padding_mask": hidden}
        return self.transformer(source, target, tgt_mask=later, **padding)  # type: ignore[no-any-return]


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_whole_transformer_with_padding(tmp_path: Path, batch_first: bool) -> None:
    x, y, _, own, other = example()
    given = (y, x) if batch_first else (y.transpose(0, 1), x.transpose(0, 1))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        made = Generated(Sequences(batch_first), (*given, other, own), tmp_path / "out").proved()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    assert made.text.count("nn.MultiheadAttention(16, 4, batch_first=True)") == 3 * batch_first
    assert made.text.count("nn.MultiheadAttention(") == 3 and "softmax" not in made.text
    assert ("torch.where(" in made.text) == batch_first
    causal = "nn.Transformer.generate_square_subsequent_mask(5" if batch_first else "torch.ones(5, 5, dtype=torch.bool"
    assert causal in made.text


def test_a_file_of_the_exporter_gives_the_modules_back(tmp_path: Path) -> None:
    """What its optimization turns, and gives a number for a name, is told by the bias."""
    x, y, *_ = example()
    source = nn.TransformerDecoderLayer(WIDTH, HEADS, 24, batch_first=True, dropout=0.0).eval()
    for parameter in source.parameters():
        parameter.data.add_(torch.rand_like(parameter) * 0.1)
    with torch.no_grad():
        torch.onnx.export(source, (x, y), tmp_path / "model.onnx", dynamo=True, verbose=False)
    interlingua.convert(tmp_path / "model.onnx", "torch", tmp_path / "out", verify=False)
    generated = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    with torch.no_grad():
        torch.testing.assert_close(generated(x, y), source(x, y), rtol=1e-5, atol=1e-6)
    generated.load_state_dict(source.state_dict(), strict=True)
    assert (tmp_path / "out" / "model.py").read_text().count("nn.MultiheadAttention(16, 4, batch_first=True)") == 2
