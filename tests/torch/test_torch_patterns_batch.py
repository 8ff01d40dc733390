"""A batch of 1 that the source states becomes any, proved sample by sample; or stays, where that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch_patterns import agree, nets

import interlingua
from interlingua.errors import VerificationFailed
from interlingua.report import Report


def told(report: Report) -> list[str]:
    return [note.text for note in report.notes]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with a batch of 1 in its input, its Reshape and its output."""
    random = np.random.default_rng(3)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(random.normal(0, 0.4, shape).astype(np.float32), name)

    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "kernel"], ["features"], strides=[2, 2]),
            onnx.helper.make_node("Relu", ["features"], ["positive"]),
            onnx.helper.make_node("Reshape", ["positive", "sizes"], ["flat"]),
            onnx.helper.make_node("Gemm", ["flat", "matrix"], ["y"]),
        ],
        "picture",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2, 6, 6])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 5])],
        [
            weight("kernel", 3, 2, 2, 2),
            weight("matrix", 27, 5),
            onnx.numpy_helper.from_array(np.asarray([1, 27]), "sizes"),
        ],
    )
    path = tmp_path_factory.mktemp("picture") / "picture.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.slow
def test_a_batch_of_one_is_freed_and_proved_by_each_sample(picture: Path, tmp_path: Path) -> None:
    report = interlingua.convert(picture, "torch", tmp_path / "out")
    assert [port.name for port in report.inputs] == ["x"] and report.inputs[0].shape == ("N", 2, 6, 6)
    assert any("1 became N" in text for text in told(report))
    assert len(report.proofs) == 3
    for proof in report.proofs:
        assert proof.verdict == "proved"
        assert [row.name for row in proof.differences] == ["y", "y, batch 1", "y, batch 2"]
    assert {proof.verdict for proof in interlingua.verify(tmp_path / "out")} == {"proved"}
    x = np.random.default_rng(4).normal(0, 1, (2, 2, 6, 6)).astype(np.float32)
    outputs = interlingua.run(tmp_path / "out", {"x": x})["y"]
    for row in range(2):
        alone = interlingua.run(picture, {"x": x[row : row + 1]})["y"]
        np.testing.assert_allclose(outputs[row : row + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"free_batch": False}, {"strict": True}], ids=["fixed", "strict"])
def test_a_batch_of_one_is_kept_where_that_is_asked_for(
    picture: Path, tmp_path: Path, options: dict[str, bool]
) -> None:
    report = interlingua.convert(picture, "torch", tmp_path / "out", **options)
    assert report.inputs[0].shape == (1, 2, 6, 6) and not told(report)


@pytest.mark.slow
def test_a_users_own_sample_is_the_first_of_several(picture: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.linspace(-1, 1, 72, dtype=np.float32).reshape(1, 2, 6, 6))
    report = interlingua.convert(picture, "torch", tmp_path / "out", verify_inputs=tmp_path / "own.npz")
    assert "y, batch 2" in [row.name for row in report.proofs[0].differences]


@pytest.mark.slow
def test_a_source_that_mixes_the_samples_of_a_batch_keeps_its_batch_of_one(tmp_path: Path) -> None:
    module, example = nets.perturbed(nets.Untracked()), torch.randn(1, 2, 5, 6)
    with pytest.raises(VerificationFailed, match="source on all samples"):
        interlingua.convert(module, "torch", tmp_path / "asked", example_inputs=example, free_batch=True)
    report = interlingua.convert(module, "torch", tmp_path / "out", example_inputs=example)
    assert report.inputs[0].shape == (1, 2, 5, 6)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert any("stays 1" in text for text in told(report)) and not any("became" in text for text in told(report))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("Windows", (torch.randn(1, 4, 6, 8),)),
        ("SetPrediction", (torch.randn(1, 3, 12, 16),)),
        ("Lines", (torch.randn(1, 1, 8, 20),)),
        ("Fourier", (torch.randn(1, 3, 8, 6),)),
        ("Resized", (torch.randn(1, 2, 5, 6),)),
        ("MaskedCrossAttention", (torch.randn(1, 3, 8), torch.tensor([[4, 5, 6, 0, 0]]))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_networks_exported_with_one_sample_take_several(
    tmp_path: Path, name: str, example: tuple[torch.Tensor, ...]
) -> None:
    module = nets.perturbed(getattr(nets, name)())
    report = interlingua.convert(module, "torch", tmp_path / "out", example_inputs=example)
    assert report.inputs[0].shape is not None and report.inputs[0].shape[0] == "N"
    agree(module, tmp_path / "out", tuple(torch.cat([each, each.flip(-1)]) for each in example))
