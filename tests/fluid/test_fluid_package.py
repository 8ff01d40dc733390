"""What is written is a person's own: two lines run it under Python 3.7, it trains, it saves both layouts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from interlingua import passes, pipeline, plugin
from interlingua.errors import UnsupportedModel, VerificationFailed
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua_fluid.naming import legalise, restore


@pytest.fixture(scope="module")
def package(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package") / "out"
    pipeline.convert(made / "lenet", "fluid", out)
    return out


def script(python: Path, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Runs Python 3.7 with nothing but its own packages, in the folder."""
    command = [str(python), "-I", "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{text}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


TWO_LINES = """
import numpy as np
x = np.load({given!r})["x"]
from model import load
model = load()
y = model(x)
np.save({taken!r}, y)
assert not [name for name in sys.modules if name.startswith("interlingua")]
"""


@pytest.mark.legacy
def test_two_lines_run_it(made: Path, package: Path, fluid_python: Path, tmp_path: Path) -> None:
    taken = tmp_path / "y.npy"
    result = script(fluid_python, package, TWO_LINES.format(given=str(made / "lenet.npz"), taken=str(taken)))
    assert result.returncode == 0, result.stderr
    with np.load(made / "lenet.npz") as file:
        assert np.array_equal(np.load(taken), file["output"])


TRAINING = """
import numpy as np
import paddle.fluid as fluid
from model import load
model = load()
startup = fluid.Program()
with fluid.program_guard(model.program, startup):
    label = fluid.data("label", [None, 1], "int64")
    loss = fluid.layers.mean(fluid.layers.cross_entropy(model.outputs[0], label))
    fluid.optimizer.SGD(0.01).minimize(loss)
random = np.random.RandomState(0)
feed = {"x": random.rand(8, 1, 28, 28).astype("float32"), "label": random.randint(0, 10, (8, 1)).astype("int64")}
before = model(feed["x"])
with fluid.scope_guard(model.scope):
    model.executor.run(startup)
    losses = [float(model.executor.run(model.program, feed=feed, fetch_list=[loss])[0]) for _ in range(30)]
assert losses[-1] < 0.8 * losses[0], losses
assert np.abs(model(feed["x"]) - before).max() > 0.01
"""


@pytest.mark.legacy
def test_it_goes_on_training(package: Path, fluid_python: Path) -> None:
    result = script(fluid_python, package, TRAINING)
    assert result.returncode == 0, result.stderr


@pytest.mark.legacy
@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_are_loaded_strictly(package: Path, fluid_python: Path, tmp_path: Path, change: str) -> None:
    weights = load_file(package / "weights.safetensors")
    if change == "missing":
        del weights["fc1.b_0"]
    elif change == "extra":
        weights["more"] = np.zeros(1, np.float32)
    else:
        weights["fc1.b_0"] = np.zeros(83, np.float32)
    save_file(weights, tmp_path / "weights.safetensors")
    text = f"from model import load\nload({str(tmp_path / 'weights.safetensors')!r})"
    result = script(fluid_python, package, text)
    assert "ValueError: Expected" in result.stderr


@pytest.mark.legacy
def test_it_saves_both_layouts_with_the_sources_names_and_bytes(
    made: Path, package: Path, fluid_python: Path, tmp_path: Path
) -> None:
    separate, combined = tmp_path / "separate", tmp_path / "combined"
    text = f"from model import load\nm = load()\nm.save({str(separate)!r})\nm.save({str(combined)!r}, '__params__')"
    result = script(fluid_python, package, text)
    assert result.returncode == 0, result.stderr
    for name in ("block1_conv1.w_0", "block2_conv1.b_0", "fc1.w_0", "before_softmax.b_0"):
        assert (separate / name).read_bytes() == (made / "lenet" / name).read_bytes()
    assert (combined / "__params__").read_bytes() == (made / "combined" / "__params__").read_bytes()


@pytest.mark.legacy
def test_the_same_input_gives_the_same_bytes(made: Path, package: Path, tmp_path: Path) -> None:
    pipeline.convert(made / "lenet", "fluid", tmp_path / "again")
    ours, again = pipeline.digest(package), pipeline.digest(tmp_path / "again")
    stable = {name for name in ours if name != "report.json"}
    assert "inference_model/__model__" in stable
    assert {name: ours[name] for name in stable} == {name: again[name] for name in stable}
    assert str(tmp_path).encode() not in (tmp_path / "again/inference_model/__model__").read_bytes()


@pytest.mark.legacy
def test_operators_that_nobody_reads_are_refused_all_at_once(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel) as refused:
        pipeline.convert(made / "beyond_the_records", "onnx", tmp_path / "out")
    named = {line.split()[0] for line in refused.value.refusals}
    assert {"hard_swish", "gelu", "elementwise_max"} <= {word.rpartition(".")[2] for word in named}
    assert not (tmp_path / "out").exists()


def channels_last() -> ir.Model:
    """A convolution and a dense layer on N × H × W × C, as TensorFlow has them."""
    builder, random = Builder("test"), np.random.default_rng(2)

    def weight(name: str, *shape: int) -> ir.Value:
        return builder.weight(name, ir.tensor(random.normal(0, 0.3, shape).astype(np.float32), name=name))

    x = builder.transpose(builder.input("x", [None, 6, 5, 3]), [0, 3, 1, 2])
    y = builder.record("Conv", {"X": [x], "W": [weight("c/w", 4, 3, 3, 3)]}, {"pads": [1, 1, 1, 1]}, layer="c")
    y = builder.transpose(builder.record("Relu", {"X": [y]}, {}), [0, 2, 3, 1])
    y = builder.record("Flatten", {"input": [y]}, {})
    y = builder.record("Gemm", {"A": [y], "B": [weight("d/w", 120, 2)]}, {}, layer="d")
    return passes.run(builder.model([("y", y)]), notes=Notes())


@pytest.mark.parametrize(("layout", "shape"), [("source", [None, 6, 5, 3]), ("native", [None, 3, 6, 5])])
def test_the_layout_of_inputs_is_the_users_choice(layout: str, shape: list[int | None], tmp_path: Path) -> None:
    options = pipeline.WriteOptions(layout=layout)
    pipeline.write(channels_last(), plugin.framework("fluid"), tmp_path, options)
    text = (tmp_path / "model.py").read_text()
    assert f'fluid.data("x", {shape})' in text
    assert text.count("fluid.layers.transpose") == (1 if layout == "source" else 0)
    assert text.count("fluid.layers.flatten") == 0


@pytest.mark.legacy
def test_a_wrong_weight_names_the_first_diverging_layer(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interlingua.codegen import package

    write = package.write_safetensors

    def spoil(path: Path, weights: dict[str, object], metadata: dict[str, str]) -> None:
        write(path, weights, metadata)  # type: ignore[arg-type]
        arrays = load_file(path)
        arrays["block2_conv1.w_0"] = arrays["block2_conv1.w_0"] * 1.5
        save_file(arrays, path)

    monkeypatch.setattr(package, "write_safetensors", spoil)
    with pytest.raises(VerificationFailed, match="block2_conv1"):
        pipeline.convert(made / "lenet", "fluid", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_report_says_what_became_what(made: Path, package: Path) -> None:
    report = json.loads((package / "report.json").read_text())
    apis = {row["api"] for row in report["layers"]}
    assert {"paddle.fluid.layers.conv2d", "paddle.fluid.layers.pool2d", "paddle.fluid.layers.fc"} <= apis
    assert report["weights"]["fc1.w_0"] == "fc1.w_0"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_a_legal_name_can_be_a_file_and_comes_back(name: str) -> None:
    legal = legalise(name)
    assert restore(legal) == name
    assert legal == name or "%" in legal
    assert all(part not in ("", ".", "..") for part in legal.split("/")) or name == ""
    assert "@GRAD" not in legal
