"""Numbers that the source's code states stay numbers in a file of ONNX, and out of it, without any metadata of ours."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

import interlingua
from interlingua.ir import metadata


class Scored(nn.Module):
    """Parameters, one of them a number; numbers of the code: scalars, a table, a fill, an instance norm's ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 1)
        self.norm = nn.InstanceNorm1d(4)
        self.temperature = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)) * self.temperature
        scaled = x.masked_fill(hidden, -1e4) * torch.tensor([1.5, 2.0, 3.0, 4.0])[:, None]
        return scaled.clamp(min=-50.0) + 0.25


EXAMPLE = (torch.randn(2, 3, 5), torch.rand(2, 4, 5) > 0.5)
PARAMETERS = {"conv.weight", "conv.bias", "temperature"}


def stripped(source: Path, target: Path) -> Path:
    """The file without metadata of any kind."""
    model = onnx.load(source)
    graph = model.graph
    del model.metadata_props[:]
    for each in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del each.metadata_props[:]
    onnx.save(model, target)
    return target


def trained(model: ir.Model) -> set[str]:
    values = model.graph.initializers.values()
    return {
        str(v.name)
        for v in values
        if v.dtype is not None and v.dtype.is_floating_point() and not metadata.is_constant(v)
    }


def test_a_file_of_ours_tells_numbers_from_parameters(tmp_path: Path) -> None:
    interlingua.convert(Scored().eval(), "onnx", tmp_path / "out", example_inputs=EXAMPLE)
    plain = stripped(tmp_path / "out" / "model.onnx", tmp_path / "plain.onnx")
    assert {tensor.name for tensor in onnx.load(plain).graph.initializer if tensor.data_type == 1} == PARAMETERS
    assert trained(interlingua.read(plain).model) == PARAMETERS
    report = interlingua.convert(plain, "torch", tmp_path / "torch")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert "-10000.0" in (tmp_path / "torch" / "model.py").read_text()


@pytest.mark.parametrize("optimize", [True, False])
def test_a_file_of_pytorchs_exporter_tells_them_too(tmp_path: Path, optimize: bool) -> None:
    path = tmp_path / "model.onnx"
    torch.onnx.export(Scored().eval(), EXAMPLE, path, dynamo=True, optimize=optimize, verbose=False)
    assert trained(interlingua.read(path).model) == PARAMETERS


def test_a_file_that_tells_nothing_keeps_its_numbers_trainable(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    torch.onnx.export(Scored().eval(), EXAMPLE, path, dynamo=True, verbose=False)
    found = trained(interlingua.read(stripped(path, tmp_path / "plain.onnx")).model)
    assert found > PARAMETERS and any(name.startswith("val_") for name in found)
