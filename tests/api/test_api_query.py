"""Names in any spelling, the join of two cards, categories, rendering, and the command's cost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from interlingua.errors import UsageError
from interlingua.tables import as_json, query, render
from interlingua.tables.difference import Category, Difference
from interlingua.tables.names import find, near_names

HEAVY = ("numpy", "onnx", "onnx_ir", "onnxruntime", "torch", "tensorflow", "keras", "paddle", "cv2", "black")


def table(name: str, target: str, source: str = "", record: str = "") -> Difference:
    answers = query(name, source=source, target=target)
    chosen = [a for a in answers if record in ("", a.source.card.record)]
    return chosen[0].tables[0]


@pytest.mark.parametrize(
    ("name", "source", "api"),
    [
        ("torch.nn.Conv2d", "", "torch.nn.Conv2d"),
        ("pytorch.nn.Conv2d", "", "torch.nn.Conv2d"),
        ("nn.Conv2d", "torch", "torch.nn.Conv2d"),
        ("conv_transpose3d", "", "torch.nn.functional.conv_transpose3d"),
        ("Convolution", "caffe", "Convolution"),
        ("caffe.Convolution", "", "Convolution"),
        ("onnx.Conv", "", "Conv"),
        ("fluid.layers.fc", "", "paddle.fluid.layers.fc"),
        ("paddlepaddle.nn.Conv2D", "", "paddle.nn.Conv2D"),
        ("CONV2D", "keras", "keras.layers.Conv2D"),
        ("tf.placeholder", "", "tf.placeholder"),
    ],
)
def test_a_name_may_be_full_an_alias_cut_or_in_other_letters(name: str, source: str, api: str) -> None:
    assert api in [match.api for match in find(name, source)]


def test_one_name_may_stand_for_several_ops() -> None:
    records = [answer.source.card.record for answer in query("fluid.layers.pool2d", target="torch")]
    assert {"MaxPool", "AveragePool"} <= set(records)


def test_a_canonical_op_and_a_synonym_are_names_too() -> None:
    assert {m.card.record for m in find("convolution")} >= {"Conv"}
    assert {m.card.record for m in find("clamp")} == {"Clip"}


@pytest.mark.parametrize(
    ("misspelt", "near"),
    [
        ("torch.nn.Cnv2d", "torch.nn.Conv2d"),
        ("keras.layers.Desne", "keras.layers.Dense"),
        ("Convolutoin", "Convolution"),
    ],
)
def test_a_misspelt_name_gets_near_ones(misspelt: str, near: str) -> None:
    assert near in near_names(misspelt)
    with pytest.raises(UsageError, match=r"Expected the name of an API.*Did you mean"):
        query(misspelt)


def test_an_unknown_framework_is_refused() -> None:
    with pytest.raises(UsageError, match="Expected a framework"):
        query("torch.nn.Conv2d", target="tensorfow")


def test_nonsense_has_no_near_name() -> None:
    with pytest.raises(UsageError):
        query("qqqqqq")


def test_layers_are_compared_with_layers_and_functions_with_functions() -> None:
    layer, function = table("torch.nn.Conv2d", "paddle"), table("torch.nn.functional.conv2d", "paddle")
    assert layer.target is not None and layer.target.api == "paddle.nn.Conv2D"
    assert function.target is not None and function.target.api == "paddle.nn.functional.conv2d"
    assert function.target.api in layer.others


def test_every_category_that_holds_is_kept() -> None:
    keras = table("torch.nn.Conv2d", "keras")
    assert {Category.RENAMED, Category.PARAMETERS, Category.LAYOUT} <= set(keras.categories)
    epsilon = table("torch.nn.BatchNorm2d", "keras")
    assert Category.DEFAULT in epsilon.categories
    assert table("torch.nn.functional.avg_pool2d", "paddle").categories.count(Category.DEFAULT) == 1


def test_defaults_are_compared_by_their_meaning() -> None:
    momentum = next(row for row in table("torch.nn.BatchNorm2d", "paddle").rows if row.canonical == "momentum")
    assert (momentum.source and momentum.source.default, momentum.target and momentum.target.default) == ("0.1", "0.9")
    assert Category.DEFAULT.value not in momentum.differs
    assert Category.PARAMETERS.value in momentum.differs


def test_nothing_differs_between_an_api_and_one_like_it() -> None:
    assert table("torch.exp", "onnx").categories in [(Category.RENAMED,), (Category.IDENTICAL,)]
    assert table("torch.nn.functional.leaky_relu", "paddle").categories == (Category.RENAMED,)


def test_axes_are_told_for_inputs_weights_and_outputs() -> None:
    axes = {row.canonical: row for row in table("torch.nn.Conv2d", "keras").axes}
    assert axes["X"].target and axes["X"].target.name == "N * C"
    assert axes["W"].target and axes["W"].target.name == "* I O"
    assert axes["Y"].target and axes["Y"].target.name == "N * C"


def test_no_counterpart_is_a_category() -> None:
    lacking = table("torch.nn.functional.pad", "caffe", record="Pad")
    assert lacking.target is None or lacking.target.api
    if lacking.target is None:
        assert lacking.categories == (Category.NONE,)


def test_a_loss_is_joined_to_the_one_with_the_same_labels() -> None:
    soft = table("tf.nn.softmax_cross_entropy_with_logits", "fluid", record="softmax_cross_entropy")
    assert soft.target is not None and soft.target.api == "paddle.fluid.layers.softmax_with_cross_entropy"
    shares = table("paddle.nn.functional.cross_entropy", "tensorflow")
    assert shares.target is not None


def test_one_name_to_all_has_a_table_for_each_other_framework() -> None:
    answer = query("torch.nn.Conv2d")[0]
    assert {t.to for t in answer.tables} >= {"caffe", "fluid", "keras", "onnx", "paddle", "tensorflow"}
    text = render.plain(render.document([answer]))
    assert "keras.layers.Conv2D" in text and "paddle.nn.Conv2D" in text


def test_plain_text_fits_a_terminal() -> None:
    for name in ("torch.nn.Conv2d", "Convolution", "tf.placeholder", "cross_entropy"):
        text = render.plain(render.document(query(name, target="fluid")))
        assert all(len(line) <= 120 for line in text.splitlines()), name


def test_json_is_plain_data() -> None:
    told = json.loads(json.dumps(as_json(query("torch.nn.Conv2d", target="keras"))))
    assert told[0]["tables"][0]["target"]["api"] == "keras.layers.Conv2D"
    assert "renamed" in told[0]["tables"][0]["categories"]


@pytest.mark.parametrize(
    "arguments", [["torch.nn.Conv2d", "--to", "keras"], ["Convolution", "--from", "caffe"], ["Dropout", "--json"]]
)
def test_the_command_is_quick_and_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, typer\n"
        "from interlingua.cli.api import api\n"
        "command = typer.Typer()\n"
        "command.command()(api)\n"
        f"command({arguments!r}, standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled["PYTHONPYCACHEPREFIX"] = str(tmp_path)  # an installed package is compiled once, not at each start
    seconds = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=compiled)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert "HEAVY []" in done.stdout
    assert min(seconds) <= 0.5  # of the processor's time: what else the machine does must not count
