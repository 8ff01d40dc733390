"""What PyTorch's exporter takes apart or drops stays whole: adaptive means of uneven windows, and `detach`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import interlingua
from interlingua.ir.facts import qualified

pytestmark = pytest.mark.slow


class Called(nn.Module):
    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: torch.Tensor) -> Any:
        return self.pool(x)


def proved(module: nn.Module, example: tuple[torch.Tensor, ...], target: str, out: Path, **options: Any) -> str:
    report = interlingua.convert(module.eval(), target, out, example_inputs=example, **options)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    return (out / "model.py").read_text() if target != "onnx" else ""


UNEVEN = [
    (nn.AdaptiveAvgPool1d(5), (2, 3, 7), "F.adaptive_avg_pool1d(x, 5)", "interlingua::AdaptiveAveragePool1D"),
    (
        nn.AdaptiveAvgPool2d((3, 7)),
        (2, 3, 5, 4),
        "F.adaptive_avg_pool2d(x, (3, 7))",
        "interlingua::AdaptiveAveragePool2D",
    ),
    (
        nn.AdaptiveAvgPool3d((2, 3, 4)),
        (2, 3, 5, 6, 7),
        "F.adaptive_avg_pool3d(x, (2, 3, 4))",
        "interlingua::AdaptiveAveragePool3D",
    ),
]


@pytest.mark.parametrize("module, shape, line, operator", UNEVEN, ids=["1", "2", "3"])
def test_windows_that_differ_are_one_call(
    module: nn.Module, shape: tuple[int, ...], line: str, operator: str, tmp_path: Path
) -> None:
    """PyTorch's exporter gathers and masks each window."""
    example = (torch.rand(shape),)
    assert f"return {line}" in proved(Called(module), example, "torch", tmp_path / "torch")
    source = interlingua.read(Called(module).eval(), example_inputs=example)
    assert [qualified(node) for node in source.model.graph] == [operator]


def test_sizes_may_vary(tmp_path: Path) -> None:
    dynamic = {"x": {0: "batch", 2: "height", 3: "width"}}
    module = Called(nn.AdaptiveAvgPool2d((3, 7)))
    text = proved(module, (torch.rand(2, 3, 9, 14),), "torch", tmp_path / "torch", dynamic=dynamic)
    assert "F.adaptive_avg_pool2d(x, (3, 7))" in text
    proved(module, (torch.rand(2, 3, 9, 14),), "onnx", tmp_path / "onnx", dynamic=dynamic)
    model = onnx.load(tmp_path / "onnx" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["AdaptiveAveragePool2D"]


@pytest.mark.parametrize("wanted, said", [((3, 2), "F.avg_pool2d(x, 2)"), (1, "x.mean(dim=(-2, -1), keepdim=True)")])
def test_even_windows_stay_ordinary(wanted: Any, said: str, tmp_path: Path) -> None:
    """Beside one that is whole, which has its program decomposed by us."""

    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            even: torch.Tensor = nn.functional.adaptive_avg_pool2d(x, wanted)
            return even, nn.functional.adaptive_avg_pool2d(x, (4, 3))

    text = proved(Two(), (torch.rand(2, 3, 6, 4),), "torch", tmp_path / "torch")
    assert said in text and "F.adaptive_avg_pool2d(x, (4, 3))" in text


def test_a_mean_of_what_stands_channels_last_is_a_mean(tmp_path: Path) -> None:
    class Last(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mean: torch.Tensor = nn.functional.adaptive_avg_pool2d((x + 1).permute(0, 3, 1, 2), 1)
            return mean.flatten(1)

    example = (torch.rand(2, 6, 4, 3),)
    text = proved(Last(), example, "torch", tmp_path / "torch", dynamic={"x": {0: "batch"}})
    assert ".mean(dim=(-2, -1)" in text and "arange" not in text


def test_a_target_without_the_operator_is_written_by_products(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((3, 7)), nn.AdaptiveAvgPool2d(1))
    assert "adaptive" not in proved(module, (torch.rand(2, 3, 12, 15),), "paddle", tmp_path / "paddle")


def test_a_recurrent_layer_beside_it_stays_whole(tmp_path: Path) -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool1d(5)
            self.cell = nn.GRU(7, 3, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.cell(self.pool(x).transpose(1, 2))[0]
            return result

    text = proved(Line(), (torch.rand(2, 7, 8),), "torch", tmp_path / "torch")
    assert "nn.GRU(7, 3" in text and "F.adaptive_avg_pool1d(x, 5)" in text


class Detached(nn.Module):
    """The first product is no one's to train; the second is."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.second(self.first(x).detach().tanh())
        return result


def test_what_is_detached_stays_detached(tmp_path: Path) -> None:
    """The graph computes the same without `interlingua::StopGradient`; training does not."""
    torch.manual_seed(0)
    text = proved(Detached(), (torch.rand(3, 4),), "torch", tmp_path / "torch")
    assert ".detach()" in text
    graph = interlingua.read(Detached(), example_inputs=torch.rand(3, 4)).model.graph
    assert "interlingua::StopGradient" in {qualified(node) for node in graph}
    names: dict[str, Any] = {"__file__": str(tmp_path / "torch" / "model.py"), "__name__": "model"}
    exec(compile(text, "model.py", "exec"), names)
    model = names["load"]()
    model(torch.rand(3, 4)).sum().backward()
    assert model.first.weight.grad is None and model.second.weight.grad is not None


def test_an_onnx_file_has_nothing_of_it(tmp_path: Path) -> None:
    proved(Detached(), (torch.rand(3, 4),), "onnx", tmp_path / "onnx")
    model = onnx.load(tmp_path / "onnx" / "model.onnx")
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Tanh", "Gemm"]
    assert not model.functions and [each.domain for each in model.opset_import] == [""]


def test_other_targets_have_nothing_of_it(tmp_path: Path) -> None:
    assert "detach" not in proved(Detached(), (torch.rand(3, 4),), "paddle", tmp_path / "paddle")


class Bags(nn.Module):
    """Words in bags of unlike length, one of them empty."""

    def __init__(self, mode: str, last: bool) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(9, 3, mode=mode, include_last_offset=last)
        self.out = nn.Linear(3, 2)

    def forward(self, words: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        return self.out(self.bag(words, offsets))


@pytest.mark.parametrize(
    "mode, last, operator",
    [
        ("mean", False, "interlingua::EmbeddingBagMean"),
        ("sum", True, "interlingua::EmbeddingBagSum"),
        ("max", False, "interlingua::EmbeddingBagMax"),
    ],
)
def test_bags_of_words_are_one_layer(mode: str, last: bool, operator: str, tmp_path: Path) -> None:
    """PyTorch's exporter writes a loop over bags, with decisions on the mode in it."""
    starts = [0, 3, 3, 5] + ([7] if last else [])
    example = (torch.tensor([1, 2, 8, 4, 4, 0, 5]), torch.tensor(starts))
    np.savez(tmp_path / "inputs.npz", words=example[0].numpy(), offsets=example[1].numpy())
    options = {"dynamic": {"words": {0: "words"}, "offsets": {0: "bags"}}, "verify_inputs": tmp_path / "inputs.npz"}
    text = proved(Bags(mode, last), example, "torch", tmp_path / "torch", **options)
    assert f'self.bag = nn.EmbeddingBag(9, 3, mode="{mode}")' in text and "while" not in text
    read = interlingua.read(Bags(mode, last), example_inputs=example)
    assert operator in {qualified(node) for node in read.model.graph}
    proved(Bags(mode, last), example, "onnx", tmp_path / "onnx", **options)
    nodes = onnx.load(tmp_path / "onnx" / "model.onnx").graph.node
    assert not {"Loop", "If"} & {node.op_type for node in nodes}
