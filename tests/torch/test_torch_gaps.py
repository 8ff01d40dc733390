"""What PyTorch's exporter has no function for, or writes as something else, and what it cannot trace."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from generated import Generated
from torch import nn

import interlingua

pytestmark = pytest.mark.slow


class Applied(nn.Module):
    """A function of one tensor or more."""

    def __init__(self, function: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        return self.function(x, *others)


EDGES = torch.tensor([-1.0, 0.0, 1.0])
PLACES = torch.tensor([[0, 2, 2, 1], [1, 1, 0, 2]])
FILLED = torch.tensor([[5.0, 6, 7], [8, 9, 10]])
NUMBERS = torch.tensor([[0.3, -1.0, 2.0, 0.5], [1.5, 0.0, -0.2, 1.0]])
CASES = {
    "running product": (lambda x: x.cumprod(-1), "cumprod"),
    "median": (lambda x: tuple(x.median(1)), "x, y = (x.values, x.indices)"),
    "median kept": (lambda x: x.median(1, keepdim=True)[0], "topk"),
    "median of all": (lambda x: x.median(), "topk"),
    "searched": (lambda x: torch.searchsorted(EDGES, x), "sum"),
    "searched on the right": (lambda x: torch.searchsorted(EDGES, x, right=True), "sum"),
    "searched in rows": (lambda x: torch.searchsorted(x.sort(-1)[0], x[:, :2].contiguous()), "sum"),
    "bucketized": (lambda x: torch.bucketize(x, EDGES, out_int32=True), "sum"),
    "scattered mean": (lambda x: FILLED.scatter_reduce(1, PLACES, x, "mean"), "scatter_add"),
    "scattered mean alone": (
        lambda x: FILLED.scatter_reduce(1, PLACES, x, "mean", include_self=False),
        "scatter_add",
    ),
    "scattered greatest alone": (
        lambda x: FILLED.scatter_reduce(1, PLACES, x, "amax", include_self=False),
        "scatter_reduce",
    ),
    "scattered in part": (lambda x: FILLED.scatter(1, PLACES[:, :2], x), "scatter"),
    "scattered sum in part": (lambda x: FILLED.scatter_add(1, PLACES[:, :2], x), "scatter_add"),
    "distances": (lambda x: torch.cdist(x, NUMBERS.flip(0)), "vector_norm"),
    "other distances": (lambda x: torch.cdist(x[None], NUMBERS.flip(0)[None], p=3.0), "3.0"),
    "distances by the greatest": (lambda x: torch.cdist(x, NUMBERS.flip(0), p=float("inf")), "max"),
    "whole numbers taken from a real one": (lambda x: x * (1.5 - (x > 0).long()), "1.5 - "),
    "all of them": (lambda x: torch.where(torch.ops.aten._is_all_true(x > 0), x, -x), ".amin()"),
    "any of them": (lambda x: torch.where(torch.ops.aten._is_any_true(x > 0), x, -x), ".amax()"),
    "smoothed classes": (lambda x: F.cross_entropy(x, torch.tensor([3, -100]), label_smoothing=0.2), "log_softmax"),
    "smoothed, each": (
        lambda x: F.cross_entropy(x, torch.tensor([3, 1]), torch.arange(1.0, 5), label_smoothing=0.2, reduction="none"),
        "log_softmax",
    ),
    "smoothed probabilities": (lambda x: F.cross_entropy(x, x.softmax(-1), label_smoothing=0.3), "log_softmax"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_exporter_lacks_or_mistakes(tmp_path: Path, name: str) -> None:
    function, said = CASES[name]
    made = Generated(Applied(function), (NUMBERS,), tmp_path / "out").proved()
    assert said in made.text


class Spectral(nn.Module):
    """A layer of a Fourier neural operator: complex weights times the lowest frequencies."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, 4, 2))
        self.mix = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low = torch.fft.rfft(x)[:, :, :4]
        product = torch.einsum("bix,iox->box", low, torch.view_as_complex(self.weight))
        found = torch.zeros(x.shape[0], 3, x.shape[-1] // 2 + 1, dtype=torch.complex64)
        found[:, :, :4] = torch.einsum("box,op->bpx", product, self.mix.to(torch.complex64))
        return torch.einsum("bpx,pq->bqx", torch.fft.irfft(found, n=x.shape[-1]), self.mix)


def test_products_of_complex_factors_by_an_equation(tmp_path: Path) -> None:
    Generated(Spectral(), (torch.randn(2, 2, 10),), tmp_path / "out").proved()


class Translator(nn.Module):
    """`nn.Transformer` with a causal mask and padding."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        padding = source == 0
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        found: torch.Tensor = self.transformer(
            self.words(source),
            self.words(target),
            tgt_mask=causal,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return found


WORDS = torch.tensor([[3, 4, 5, 0, 0], [6, 7, 8, 9, 1]])


def test_a_transformer_with_padding_is_converted_and_its_fast_path_told(tmp_path: Path) -> None:
    example = (WORDS, WORDS[:, :4] + 2)
    dynamic = {"source": {0: "batch"}, "target": {0: "batch"}}
    module = Translator().eval()
    report = interlingua.convert(module, "onnx", tmp_path / "onnx", example_inputs=example, dynamic=dynamic)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert [note.place for note in report.notes] == ["transformer.encoder"]
    assert torch.backends.mha.get_fastpath_enabled()
    made = Generated(module, example, tmp_path / "torch", dynamic=dynamic).proved()
    more = torch.cat([WORDS, WORDS[:1].flip(1)])
    with torch.no_grad():
        torch.testing.assert_close(made.model(more, more[:, :4]), module(more, more[:, :4]), rtol=1e-5, atol=1e-6)


class Configuration:
    """As Hugging Face's library has it, with a way of its own to multiply by experts."""

    _experts_implementation = "grouped_mm"


class Mixture(nn.Module):
    """Two experts, multiplied by in batches, or by an operator that nobody exports."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Configuration()
        self.experts = nn.Parameter(torch.randn(2, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = (x.sum(-1) > 0).long()
        if self.config._experts_implementation != "batched_mm":
            return torch.stack([row @ self.experts[int(place)] for row, place in zip(x, chosen, strict=True)])
        return torch.bmm(x[:, None], self.experts[chosen])[:, 0]


def test_experts_of_a_mixture_are_exported_in_batches(tmp_path: Path) -> None:
    module = Mixture()
    made = Generated(module, (torch.randn(5, 3),), tmp_path / "out", dynamic={"x": {0: "tokens"}}).proved()
    assert module.config._experts_implementation == "grouped_mm"
    more = torch.randn(7, 3)
    with torch.no_grad():
        torch.testing.assert_close(made.model(more), module(more), rtol=1e-5, atol=1e-6)


class Windowed(nn.Module):
    """Windows cut out of memory, or of the tensor where an exporter is said to look on."""

    def __init__(self) -> None:
        super().__init__()
        self.config = types.SimpleNamespace(onnx_export=False)
        self.linear = nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x).transpose(0, 1)
        if not self.config.onnx_export:
            return x.as_strided((6, 3, 3), (x.stride(0), 2 * x.stride(1), x.stride(1)))
        return torch.stack([x[:, place : place + 3] for place in (0, 2, 4)], 1)


def test_a_library_s_switch_for_exporters_is_set_while_it_is_exported(tmp_path: Path) -> None:
    module = Windowed()
    made = Generated(module, (torch.randn(7, 4),), tmp_path / "out").proved()
    assert module.config.onnx_export is False
    assert "torch.stack" in made.text
