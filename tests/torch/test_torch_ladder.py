"""The ladder of PyTorch's exporters: which of them took a module, and how the others are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import interlingua
from interlingua.errors import UnsupportedModel, UsageError


class Packed(nn.Module):
    """Sequences of lengths of their own, as PyTorch's users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(5, 4, batch_first=True)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y: torch.Tensor = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return y


class Spectral(nn.Module):
    """What none of the exporters takes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.linalg.svdvals(x).sum()


@pytest.mark.slow
def test_a_breakdown_is_told_from_a_refusal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module, example = Packed().eval(), (torch.randn(2, 6, 5), torch.tensor([6, 3]))
    report = interlingua.convert(module, "torch", tmp_path / "out", example_inputs=example)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    told = {note.place: note.text for note in report.notes}
    assert told["torch.export"].startswith("failed over the model in a way that it does not foresee: TypeError: ")
    assert told["torch.export, strict"].startswith("did not take the model: Unsupported: ")
    assert told["the exporter of TorchScript"].startswith("did not take the model: ")
    assert told["the exporter of TorchScript, by a trace"] == "exported the model"
    assert "graph(" not in capfd.readouterr().out


@pytest.mark.slow
def test_all_say_why(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"None did:\n  torch\.export did not take the model: ") as caught:
        interlingua.convert(Spectral(), "torch", tmp_path / "out", example_inputs=torch.randn(3, 3))
    assert "the exporter of TorchScript, by a trace did not take the model: " in str(caught.value)


def test_an_example_that_the_module_refuses_is_named_and_not_the_exporters(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the module itself runs on\. It raised RuntimeError: .*(3x5|5 and 4)"):
        interlingua.convert(nn.Linear(4, 2), "torch", tmp_path / "out", example_inputs=torch.zeros(3, 5))
