"""Dtypes end to end, TorchScript as the artifact, artifacts left out, and what conversions note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_patterns import agree, convert, nets

import interlingua
from interlingua import pipeline
from interlingua.errors import UnsupportedModel, VerificationFailed, WorkerFailed

BATCH = {"x": {0: "batch"}}


class Mixed(nn.Module):
    """Products, a normalization, a softmax and a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(8)
        self.shrink = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.softmax(self.shrink(self.norm(F.gelu(self.grow(x)))), -1)
        return y * y.mean(-1, keepdim=True)


class Whole(nn.Module):
    """Whole numbers and truth values in and out."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.where(mask, x // 3, x * 2).cumsum(1), (x > 2) ^ mask


class Turned(nn.Module):
    """Complex numbers in and out, and a transform."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft(x * (1 + 2j))


def told(report: Any) -> list[str]:
    return [f"{note.kind} {note.place}: {note.text}" for note in report.notes]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_real_numbers_keep_their_type(tmp_path: Path, dtype: torch.dtype) -> None:
    module = nets.perturbed(Mixed().to(dtype))
    report = convert(module, (torch.randn(2, 4).to(dtype),), tmp_path / "out", dynamic=BATCH)
    assert {str(port.dtype.numpy()) for port in (*report.inputs, *report.outputs)} == {str(dtype).partition(".")[2]}
    agree(module, tmp_path / "out", (torch.randn(3, 4).to(dtype),), tolerance=2e-2)
    assert any("reference evaluator" in text for text in told(report)) == (dtype is not torch.float16)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
def test_whole_numbers_and_truth_values_keep_their_type(tmp_path: Path, dtype: torch.dtype) -> None:
    def example(batch: int) -> tuple[torch.Tensor, ...]:
        return torch.arange(batch * 5).reshape(batch, 5).to(dtype), torch.arange(batch * 5).reshape(batch, 5) % 3 == 0

    dynamic = {**BATCH, "mask": {0: "batch"}}
    report = convert(Whole(), example(2), tmp_path / "out", example(1), example(3), dynamic=dynamic)
    assert [port.dtype.name for port in report.outputs] == ["INT64", "BOOL"]


@pytest.mark.slow
def test_complex_numbers_are_real_pairs(tmp_path: Path) -> None:
    report = convert(Turned(), (torch.randn(2, 4, dtype=torch.complex64),), tmp_path / "out", dynamic=BATCH)
    assert report.inputs[0].shape == ("batch", 4, 2) and sum("real pairs" in text for text in told(report)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        nets.Unordered,
        pytest.param(nets.Windows, marks=pytest.mark.slow),
        pytest.param(nets.Lines, marks=pytest.mark.slow),
    ],
    ids=lambda make: make.__name__,
)
def test_torchscript_is_the_artifact_where_asked_for(tmp_path: Path, make: type[nn.Module]) -> None:
    shapes = {"Unordered": ((4,),) * 3, "Windows": ((4, 6, 8),), "Lines": ((1, 8, 20),)}[make.__name__]
    names = {"Unordered": ("zebra", "apple", "mango"), "Windows": ("x",), "Lines": ("lines",)}[make.__name__]
    module, dynamic = nets.perturbed(make()), {name: {0: "batch"} for name in names}
    example, *others = [tuple(torch.randn(batch, *shape) for shape in shapes) for batch in (2, 1, 3)]
    report = convert(module, example, tmp_path / "out", *others, dynamic=dynamic, native="torchscript")
    assert report.target["native"] == "torchscript" and (tmp_path / "out" / report.target["path"]).suffix == ".pt"
    assert "torchscript artifact" in [proof.what for proof in report.proofs]
    script = torch.jit.load(tmp_path / "out" / "model.pt")
    assert isinstance(script, torch.jit.ScriptModule)


@pytest.mark.slow
def test_a_decision_on_data_leaves_the_exported_program_out_and_stays_in_torchscript(tmp_path: Path) -> None:
    module, example = torch.jit.script(nets.perturbed(nets.Settling())), (torch.randn(2, 4),)
    report = convert(module, example, tmp_path / "out", (torch.randn(2, 4) - 2,))
    assert [proof.what for proof in report.proofs] == ["IR in onnxruntime", "model.py"]
    assert not report.target["path"] and any("is left out" in text for text in told(report))
    with pytest.raises(UnsupportedModel, match=r"torch\.export does not take"):
        interlingua.convert(module, "torch", tmp_path / "asked", example_inputs=example, native="torch-export")


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An ONNX file of a sum, of whose `return x + y` PyTorch's exporter alone sees something else."""
    make = pipeline.materialise

    def spoil(said: str) -> Path:
        def materialise(package: Any, framework: Any, folder: Path, *rest: Any) -> Any:
            text = (folder / "model.py").read_text("utf-8")
            assert "return x + y" in text
            changed = text.replace("return x + y", said).replace('"""\n', '"""\n\nimport torch\n', 1)
            (folder / "model.py").write_text(changed, "utf-8")
            return make(package, framework, folder, *rest)

        monkeypatch.setattr(pipeline, "materialise", materialise)
        graph = "g (float[2, 3] x, float[2, 3] y) => (float[2, 3] z) { z = Add (x, y) }"
        model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> {graph}')
        onnx.save(model, tmp_path / "sum.onnx")
        return tmp_path / "sum.onnx"

    return spoil


def test_an_exported_program_that_computes_otherwise_is_an_error(
    spoiled: Callable[[str], Path], tmp_path: Path
) -> None:
    source = spoiled("return x + y + torch.compiler.is_exporting()")
    with pytest.raises(VerificationFailed, match="torch-export"):
        interlingua.convert(source, "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verify", [True, False], ids=["proved", "not proved"])
@pytest.mark.parametrize(
    "said",
    [
        "return x + y if not torch.compiler.is_exporting() else undefined",
        "return (x + y)[: 1 // (1 - torch.compiler.is_exporting())]",
    ],
    ids=["a name", "a division"],
)
def test_what_is_no_refusal_of_the_exporter_is_an_error(
    spoiled: Callable[[str], Path], tmp_path: Path, said: str, verify: bool
) -> None:
    with pytest.raises(WorkerFailed, match=r"NameError|ZeroDivisionError"):
        interlingua.convert(spoiled(said), "torch", tmp_path / "out", verify=verify)
    assert not (tmp_path / "out").exists()


def test_a_decision_on_data_is_a_refusal_of_the_exporter(spoiled: Callable[[str], Path], tmp_path: Path) -> None:
    report = interlingua.convert(spoiled("return x + y if (x + y).sum() > 0 else y + x"), "torch", tmp_path / "out")
    assert {proof.what: proof.verdict for proof in report.proofs}["model.py"] == "proved"
    assert not report.target["path"] and any("is left out: torch.export does not take" in text for text in told(report))


@pytest.mark.slow
def test_boxes_of_an_onnx_detector_are_suppressed_by_data(tmp_path: Path) -> None:
    """A graph with NonMaxSuppression, whose number of boxes data decides: to PyTorch, proved against onnxruntime."""
    text = """
    <ir_version: 9, opset_import: ["": 18]>
    detector (float[1, 12, 4] boxes, float[1, 2, 12] scores) => (float[M, 4] chosen, float[M] kept)
    <int64[1] most = {4}, float[1] limit = {0.3}, float[1] least = {0.4}, int64[1] last = {-1}, int64[1] flat = {-1},
     int64[1] two = {2}, int64[1] three = {3}, int64[1] axis = {1}, int64 zero = {0}, int64[1] front = {0},
     int64[2] rows = {-1, 4}>
    {
        found = NonMaxSuppression (boxes, scores, most, limit, least)
        column = Slice (found, two, three, axis)
        index = Reshape (column, flat)
        table = Reshape (boxes, rows)
        chosen = Gather <axis = 0> (table, index)
        kept = GatherND (scores, found)
    }
    """
    model = onnx.parser.parse_model(text)
    onnx.save(model, tmp_path / "detector.onnx")
    report = interlingua.convert(tmp_path / "detector.onnx", "torch", tmp_path / "out", strict=False)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert "model.py" in [proof.what for proof in report.proofs]


def test_a_seed_that_pytorch_leaves_to_the_user_is_a_note(tmp_path: Path) -> None:
    text = """
    <ir_version: 9, opset_import: ["": 18]>
    noise (float[2, 3] x) => (float[2, 3] y) {
        chance = RandomNormalLike <seed = 7.0> (x)
        y = Add (x, chance)
    }
    """
    onnx.save(onnx.parser.parse_model(text), tmp_path / "noise.onnx")
    report = interlingua.convert(tmp_path / "noise.onnx", "torch", tmp_path / "out", verify=False)
    assert any("the seed 7 of RandomNormalLike" in text for text in told(report))
