"""Modules of the caller's process: signatures, dynamic axes, dtypes, state, the ladder of exporters."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any, NamedTuple

import onnx_ir as ir
import pytest
import torch
import torch_in_nets as nets
from torch import nn

import interlingua
from interlingua.errors import UsageError
from interlingua.ir import metadata

pytestmark = pytest.mark.slow

BATCH = {0: "batch"}


def nested_example() -> tuple[Any, ...]:
    return (((torch.randn(2, 4), {"k": torch.randn(2, 4)}),), {"extra": torch.randn(2, 4)})


def proved(module: nn.Module, example: Any, out: Path, to: str = "onnx", **options: Any) -> Any:
    report = interlingua.convert(module, to, out, example_inputs=example, **options)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert any("memory" in proof.runtimes for proof in report.proofs)
    return report


@pytest.mark.parametrize("target", ["onnx", "torch"])
def test_a_module_is_converted_and_left_as_it_was(tmp_path: Path, target: str) -> None:
    module = nets.Small().train()
    module.head.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    report = proved(module, torch.randn(2, 3, 8, 8), tmp_path / "out", target, dynamic={"x": BATCH})
    assert module.training and module.conv.training and not module.head.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert report.inputs[0].name == "x" and len(report.notes) == 0


def test_dynamic_axes_bear_their_labels_and_a_length_of_one_is_no_constant(tmp_path: Path) -> None:
    dynamic = {"x": {0: "batch", 3: "width"}}
    report = proved(nets.Small(), torch.randn(1, 3, 8, 9), tmp_path / "out", dynamic=dynamic)
    assert [str(size) for size in report.inputs[0].shape] == ["batch", "3", "8", "width"]
    assert any("length 2" in note.text for note in report.notes)


def test_dynamic_axes_are_counted_from_the_end_too() -> None:
    source = interlingua.read(nets.Small(), example_inputs=torch.randn(1, 3, 8, 9), dynamic={"x": {-1: "width"}})
    (value,) = source.model.graph.inputs
    assert value.shape is not None and [str(size) for size in value.shape] == ["1", "3", "8", "width"]
    assert not len(source.notes)


@pytest.mark.parametrize("axis", [4, -5])
def test_a_dynamic_axis_that_is_not_there_is_named(axis: int) -> None:
    with pytest.raises(UsageError, match=f"x, which has 4. Received {axis}"):
        interlingua.read(nets.Small(), example_inputs=torch.randn(1, 3, 8, 9), dynamic={"x": {axis: "width"}})


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


class TakesPair(nn.Linear):
    def forward(self, pair: Pair) -> Any:  # type: ignore[override]
        return Pair(super().forward(pair.left), pair.right)


class TakesAll(nn.Linear):
    def forward(self, *several: torch.Tensor) -> torch.Tensor:
        return super().forward(several[0]) - several[1]


class TakesNamed(nn.Linear):
    def forward(self, input: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
        return super().forward(input) - others["shift"]


@pytest.mark.parametrize("kind", [TakesPair, TakesAll, TakesNamed])
def test_named_tuples_and_arguments_of_any_number(tmp_path: Path, kind: type[nn.Module]) -> None:
    x, y = torch.randn(2, 4), torch.randn(2, 4)
    calls: dict[type[nn.Module], Any] = {
        TakesPair: ((Pair(x, y),), {}),
        TakesAll: ((x, y), {}),
        TakesNamed: ((x,), {"shift": y}),
    }
    module = kind(4, 4)
    proved(module, calls[kind], tmp_path / "out", "torch")
    model = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    given, named = calls[kind]
    expected = module(*given, **named)
    found = model(*given, **named)
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    torch.testing.assert_close(found, tuple(expected) if isinstance(expected, tuple) else expected)


@pytest.mark.parametrize("target", ["onnx", "torch", "paddle"])
def test_one_value_may_be_two_outputs(tmp_path: Path, target: str) -> None:
    class Twice(nn.Linear):
        def forward(self, input: torch.Tensor) -> Any:
            made = super().forward(input)
            return made, made

    report = interlingua.convert(Twice(3, 4), target, tmp_path / "out", example_inputs=torch.randn(2, 3))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert len(report.proofs[-1].differences) == 2


@pytest.mark.parametrize("target", ["onnx", "torch"])
def test_nested_signatures_are_kept(tmp_path: Path, target: str) -> None:
    module = nets.Nested()
    report = proved(module, nested_example(), tmp_path / "out", target, dynamic={"pair": BATCH, "extra": BATCH})
    assert [port.name for port in report.inputs] == ["pair_0", "pair_1_k", "extra"]
    assert [port.name for port in report.outputs] == ["logits", "hidden_0", "hidden_1_0", "same"]
    assert module.count.item() == 0


def test_a_number_among_the_arguments_is_told() -> None:
    class Times(nn.Module):
        def forward(self, x: torch.Tensor, factor: int) -> torch.Tensor:
            return x * factor

    source = interlingua.read(Times(), example_inputs=(torch.randn(2, 3), 3))
    assert any(note.place == "factor" and "always 3" in note.text for note in source.notes)


def test_what_the_example_leaves_out_is_refused_by_the_model(tmp_path: Path) -> None:
    x = torch.randn(2, 3)
    interlingua.convert(nets.Partial(), "torch", tmp_path / "out", example_inputs=({"a": x, "mask": None}, (x, None)))
    made = runpy.run_path(str(tmp_path / "out" / "model.py"))
    model = made["load"]()
    torch.testing.assert_close(model({"a": x}, (x, None)), x * 3)
    for batch, pair, said in (({"a": x, "mask": x}, (x, None), r"batch\['mask'\]"), ({"a": x}, (x, x), r"pair\[1\]")):
        with pytest.raises(ValueError, match=f"converted without {said}"):
            model(batch, pair)


def test_the_model_knows_signature_ties_roles_and_what_is_unused() -> None:
    source = interlingua.read(nets.Nested(), example_inputs=nested_example())
    said = source.model.metadata_props
    assert json.loads(said["interlingua.signature"]) == {
        "inputs": [{"tuple": [{"leaf": "pair_0"}, {"dict": {"k": {"leaf": "pair_1_k"}}}]}, {"leaf": "extra"}],
        "outputs": {
            "dict": {
                "logits": {"leaf": "logits"},
                "hidden": {"tuple": [{"leaf": "hidden_0"}, {"list": [{"leaf": "hidden_1_0"}, {"none": True}]}]},
                "same": {"leaf": "same"},
            }
        },
        "names": ["pair", "extra"],
    }
    assert json.loads(said["interlingua.ties"]) == {"decode.weight": "encode.weight"}
    assert set(json.loads(said["interlingua.unused"])) == {"unused.weight", "unused.bias", "count"}
    roles = {value.name: metadata.role(value) for value in source.model.graph.initializers.values()}
    assert roles["encode.weight"] == "parameter" and roles["encode.bias"] == "frozen"
    assert roles["ones"] == "non-persistent" and "decode.weight" not in roles
    assert any("unused.weight" in note.text for note in source.notes)


def test_recurrent_layers_stay_whole_with_a_dynamic_time_axis(tmp_path: Path) -> None:
    example = torch.randn(2, 5, 3)
    dynamic = {"x": {0: "batch", 1: "time"}}
    model = interlingua.read(nets.Recurrent(), example_inputs=example, dynamic=dynamic).model
    assert {"LSTM", "GRU", "RNN"} <= {node.op_type for node in model.graph}
    proved(nets.Recurrent(), example, tmp_path / "out", dynamic=dynamic)


@pytest.mark.parametrize("script", [False, True])
def test_loops_on_data_go_by_the_exporter_of_torchscript(tmp_path: Path, script: bool) -> None:
    module = torch.jit.script(nets.Doubling()) if script else nets.Doubling()
    report = proved(module, torch.rand(2, 4) + 0.1, tmp_path / "out")
    told = [f"{note.place}: {note.text}" for note in report.notes]
    assert any("exporter of TorchScript" in text for text in told)
    assert any("did not take the model" in text or "does not foresee" in text for text in told)


@pytest.mark.parametrize("dynamic", [{}, {"x": BATCH}], ids=["fixed", "dynamic"])
@pytest.mark.parametrize("way", ["script", "trace"])
def test_torchscript_keeps_the_names_of_weights(tmp_path: Path, way: str, dynamic: Any) -> None:
    module, example = nets.Small().eval(), torch.randn(2, 3, 8, 8)
    script = torch.jit.script(module) if way == "script" else torch.jit.trace(module, example)
    proved(script, example, tmp_path / "out", dynamic=dynamic)
    model = interlingua.read(script, example_inputs=example, dynamic=dynamic).model
    origins = {str(metadata.origin(value)) for value in model.graph.initializers.values()}
    assert {"conv.weight", "head.weight", "head.bias"} <= origins


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64], ids=str)
def test_dtypes_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    report = proved(nn.Linear(4, 3).to(dtype), torch.randn(2, 4).to(dtype), tmp_path / "out")
    wanted = {torch.float16: ir.DataType.FLOAT16, torch.float64: ir.DataType.DOUBLE}[dtype]
    assert {port.dtype for port in (*report.inputs, *report.outputs)} == {wanted}


def test_bfloat16_weights_are_kept_to_the_bit() -> None:
    module = nn.Linear(4, 3).bfloat16()
    source = interlingua.read(module, example_inputs=torch.randn(2, 4).bfloat16())
    assert source.model.graph.inputs[0].dtype == ir.DataType.BFLOAT16
    held = source.model.graph.initializers["weight"].const_value
    assert held is not None
    assert held.numpy().view("int16").tolist() == module.weight.detach().view(torch.int16).tolist()
    assert source.local is not None
    (array,) = source.local.run(dict(source.examples))
    assert array.dtype.name == "bfloat16"


def test_complex_numbers_travel_as_pairs(tmp_path: Path) -> None:
    report = proved(nets.Turned(), torch.randn(2, 4, dtype=torch.complex64), tmp_path / "out")
    assert report.inputs[0].shape == (2, 4, 2)
    assert sum("real pairs" in note.text for note in report.notes) == 2


def test_whole_numbers_and_truth_values_keep_their_range(tmp_path: Path) -> None:
    example = {"ids": torch.tensor([[6, 1, 3], [0, 2, 5]]), "mask": torch.tensor([[True, True, False]] * 2)}
    report = proved(nets.Bag(), example, tmp_path / "out")
    assert [port.name for port in report.inputs] == ["ids", "mask"]


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="example_inputs"):
        interlingua.read(nets.Small())
    with pytest.raises(UsageError, match="'y'"):
        interlingua.read(nets.Small(), example_inputs=torch.randn(2, 3, 8, 8), dynamic={"y": BATCH})
    with pytest.raises(UsageError, match=r"builtins\.dict"):
        interlingua.read({"no": "model"})
