"""Factories, TorchScript and pickles from the shell, with weights that fit and weights that do not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import interlingua
from interlingua.errors import InvalidSource, UntrustedSource, UsageError

SHAPE = {"x": (None, 3, 8, 8)}


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a module of users' networks."""
    shutil.copy(Path(__file__).with_name("torch_in_nets.py"), tmp_path / "torch_in_nets.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(num_classes: int = 4) -> dict[str, torch.Tensor]:
    shapes = {
        "conv.weight": (5, 3, 3, 3),
        "conv.bias": (5,),
        **{f"bn.{name}": (5,) for name in ("weight", "bias", "running_mean", "running_var")},
        "head.weight": (num_classes, 5),
        "head.bias": (num_classes,),
    }
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(shape, generator=generator) + 0.1 for name, shape in shapes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "state", "checkpoint", "wrapped"])
def test_a_factory_with_weights(nets: Path, kind: str) -> None:
    held = state(10)
    path = nets / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(held, path)
    else:
        wrapped = {f"module.{name}": value for name, value in held.items()}
        torch.save({"state": held, "checkpoint": {"model": held, "epoch": 3}, "wrapped": wrapped}[kind], path)
    report = interlingua.convert(
        "torch_in_nets:Small", "onnx", nets / "out", weights=path, input_shape=SHAPE, arguments={"num_classes": 10}
    )
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert report.outputs[0].shape == ("batch", 10)
    assert len(report.notes) == (0 if kind in ("safetensors", "state") else 1)
    model = interlingua.read(
        "torch_in_nets:Small", weights=path, input_shape=SHAPE, arguments={"num_classes": 10}
    ).model
    weight = model.graph.initializers["conv.weight"].const_value
    assert weight is not None and np.array_equal(weight.numpy(), held["conv.weight"].numpy())


def test_weights_that_do_not_fit_are_all_named(nets: Path) -> None:
    held = state()
    held["head.weight"] = torch.zeros(9, 5)
    del held["conv.bias"]
    save_file(held, nets / "w.safetensors")
    with pytest.raises(InvalidSource, match=r"missing: conv\.bias; of another shape: head\.weight \(4, 5\)"):
        interlingua.read("torch_in_nets:Small", weights=nets / "w.safetensors", input_shape=SHAPE)
    save_file({**state(), "spare": torch.zeros(2)}, nets / "w.safetensors")
    source = interlingua.read("torch_in_nets:Small", weights=nets / "w.safetensors", input_shape=SHAPE)
    assert any("spare" in note.text for note in source.notes)


def test_factories_that_cannot_be_called(nets: Path) -> None:
    for name, said in (
        ("torch_in_nets:Missing", "Missing"),
        ("no_such_nets:Small", "no_such_nets"),
        ("torch_in_nets:torch.rand", "rand"),
    ):
        with pytest.raises(UsageError, match=said):
            interlingua.read(name, input_shape=SHAPE)
    with pytest.raises(UsageError, match="forward"):
        interlingua.read("torch_in_nets:Bag", input_shape={"ids": (2, 3)}, input_dtype={"ids": "int64"})


def test_example_inputs_from_a_file_and_made_up_types(nets: Path) -> None:
    arrays = {"ids": np.array([[6, 1], [0, 3]]), "mask": np.array([[True, False], [True, True]])}
    np.savez(nets / "examples.npz", **arrays)
    report = interlingua.convert("torch_in_nets:Bag", "onnx", nets / "a", example_inputs=nets / "examples.npz")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    shapes, types = {"ids": (2, 3), "mask": (2, 3)}, {"ids": "int64", "mask": "bool"}
    model = interlingua.read("torch_in_nets:Bag", input_shape=shapes, input_dtype=types).model
    assert [str(value.dtype) for value in model.graph.inputs] == ["INT64", "BOOL"]


def test_torchscript_files(nets: Path) -> None:
    module = torch.jit.trace(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval(), torch.rand(2, 4))
    module.save(nets / "script.pt")
    report = interlingua.convert(nets / "script.pt", "torch", nets / "out", input_shape=(2, 4))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    with pytest.raises(UsageError, match="--input-shape") as refused:
        interlingua.read(nets / "script.pt")
    assert "forward(" in refused.value.message


@pytest.mark.slow
def test_a_pickle_is_executed_only_where_it_is_trusted(nets: Path) -> None:
    code = "import torch, torch_in_nets; torch.save(torch_in_nets.Small(), 'whole.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=nets, check=True)
    with pytest.raises(UntrustedSource, match=r"wants the class torch_in_nets\.Small"):
        interlingua.read(nets / "whole.pt", input_shape=SHAPE)
    report = interlingua.convert(nets / "whole.pt", "onnx", nets / "out", trust=True, input_shape=SHAPE)
    assert {proof.verdict for proof in report.proofs} == {"proved"}


class Hostile:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return open, ("harmed.txt", "w")


def test_a_hostile_pickle_does_no_harm(nets: Path) -> None:
    torch.save({"model": Hostile()}, nets / "hostile.pt")
    with pytest.raises(UntrustedSource, match=r"io\.open"):
        interlingua.read(nets / "hostile.pt", input_shape=SHAPE)
    with pytest.raises(UntrustedSource):
        interlingua.read("torch_in_nets:Small", weights=nets / "hostile.pt", input_shape=SHAPE)
    assert not (nets / "harmed.txt").exists()


@pytest.mark.slow
def test_the_command_line_says_the_same(nets: Path) -> None:
    words = "convert torch_in_nets:Small --to onnx -o out --input-shape x=2,3,8,9 --dynamic x:0=batch,3=width"
    command = [sys.executable, "-m", "interlingua", *words.split(), "--arguments", '{"num_classes": 3}']
    done = subprocess.run(command, cwd=nets, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (nets / "out" / "report.json").is_file()
