"""The network of a Keras archive: layers, calls and weights, read without Keras."""

from pathlib import Path

import numpy as np
import pytest

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource, UnsupportedModel, UntrustedSource
from interlingua_keras.frontend import recognise
from interlingua_keras.frontend.archive import open_archive
from interlingua_keras.frontend.network import Network, Reference, read_network, references


def network(path: Path) -> Network:
    return read_network(open_archive(path))


@pytest.mark.slow
def test_layers_calls_and_weights_of_an_archive(saved: Path) -> None:
    found = network(saved / "lenet.keras")
    assert [(layer.name, layer.class_name) for layer in found.layers][:3] == [
        ("image", "InputLayer"),
        ("block1_conv1", "Conv2D"),
        ("block1_pool1", "MaxPooling2D"),
    ]
    assert found.layer("image").input_shape == (None, 28, 28, 1)
    assert found.outputs == (("predictions", Reference("predictions")),)
    dense = found.layer("fc1")
    assert {key: value.shape for key, value in dense.variables.items()} == {"0": (784, 84), "1": (84,)}
    assert dense.calls[0].args == (Reference("flatten"),)
    assert dense.config["units"] == 84


@pytest.mark.parametrize("name", ["lenet", "several", "trained"])
def test_both_files_of_a_model_hold_the_same_weights(saved: Path, name: str) -> None:
    archive, whole = network(saved / f"{name}.keras"), network(saved / f"{name}.h5")
    rows = list(zip(archive.walk(), whole.walk(), strict=True))
    count = 0
    for (parents, layer), (other_parents, other) in rows:
        assert (parents, layer.name, layer.class_name) == (other_parents, other.name, other.class_name)
        assert len(layer.variables) == len(other.variables)
        for left, right in zip(layer.variables.values(), other.variables.values(), strict=True):
            np.testing.assert_array_equal(left.load(), right.load())
            assert np.abs(left.load()).max() > 0.05
            count += 1
    assert count >= 8
    assert list(whole.walk())[1][1].variables.keys() == {"kernel", "bias"} or name == "several"


def test_weights_stay_on_disk(saved: Path) -> None:
    for file in ("lenet.keras", "lenet.h5"):
        kernel = next(iter(network(saved / file).layer("fc1").variables.values()))
        assert isinstance(kernel.load(), np.memmap)
        np.testing.assert_array_equal(kernel.load(), kernel.dataset[()])


def test_shared_layers_inner_models_and_functions(saved: Path) -> None:
    found = network(saved / "several.keras")
    assert len(found.layer("shared").calls) == 2
    inner = found.layer("inner")
    assert len(inner.calls) == 2 and inner.network is not None
    assert [name for name, _ in inner.network.outputs] == ["mix", "normal"]
    assert [len(layer.variables) for layer in inner.network.layers if not layer.is_input] in ([2, 4], [4, 2])
    assert references(found.layer("joined").calls[0]) == [
        Reference("inner", 0, 0),
        Reference("inner", 0, 1),
        Reference("inner", 1, 0),
    ]
    assert [name for name, _ in found.outputs] == ["o", "w"]
    assert found.layer("multiply").calls[0].args[1] == 2.0
    assert found.layer("transpose").config["axes"] == [0, 3, 1, 2]
    head = found.layer("head").network
    assert head is not None and [layer.class_name for layer in head.layers] == ["InputLayer", "Flatten", "Dense"]


def test_sequential_is_a_chain(saved: Path) -> None:
    found = network(saved / "trained.keras")
    assert found.layers[0].input_shape == (None, 8, 8, 3)
    assert found.layer("re_lu").calls[0].args == (Reference("batch_normalization"),)
    assert [v.shape for v in found.layer("batch_normalization").variables.values()] == [(4,)] * 4


def test_a_sequential_without_a_shape_asks_for_it(saved: Path) -> None:
    with pytest.raises(InvalidSource, match=r"Expected the input's shape.*--input-shape"):
        network(saved / "anonymous.keras")
    found = read_network(open_archive(saved / "anonymous.keras"), input_shape=(None, 4, 4))
    assert found.layers[0].input_shape == (None, 4, 4)


def test_python_code_is_not_trusted(saved: Path) -> None:
    for file in ("lambda.keras", "lambda.h5"):
        with pytest.raises(UntrustedSource, match=r"Python code.*At twice.*--trust"):
            network(saved / file)
        assert read_network(open_archive(saved / file), trust=True).layer("twice").class_name == "Lambda"


def test_a_subclassed_model_says_what_to_do(saved: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"subclassed.*model\.export"):
        network(saved / "subclassed.keras")


def test_inspect_shows_layers_and_parameters(saved: Path) -> None:
    artifact = recognise.archive(saved / "lenet.keras")
    assert isinstance(artifact, Artifact)
    shown = recognise.inspect(artifact)
    assert shown.inputs == ("image float32 [?, 28, 28, 1]",)
    assert shown.parameters == 5 * 5 * 6 + 6 + 5 * 5 * 6 * 16 + 16 + 784 * 84 + 84 + 840 + 10
    assert shown.layers[0].name == "block1_conv1" and not shown.missing
    code = recognise.archive(saved / "lambda.keras")
    assert code is not None and "--trust" in recognise.inspect(code).missing[0]
