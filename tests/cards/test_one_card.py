"""Knowledge once: a card's name and default are what the backend writes, the frontend reads and the table shows."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from card_changes import forget_cards, renamed

from interlingua import cards, passes, pipeline, plugin
from interlingua.artifact import ReadOptions, recognise
from interlingua.cards import Card
from interlingua.errors import PluginError
from interlingua.ir.facts import facts_of
from interlingua.notes import Notes
from interlingua.records.cases import case
from interlingua.tables import query
from interlingua.tables.calls import call, model

Change = Callable[..., Card]
NET = """name: "net"
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 4 dim: 5 }} }} }}
layer {{ name: "elu" type: "ELU" bottom: "data" top: "elu" {parameters} }}
"""


def written(framework: str, record: str, folder: Path, **said: Any) -> str:
    """The text that the backend writes for one op."""
    folder.mkdir()
    canonical = passes.run(model(call(case(record, "one", **said))), notes=Notes())
    pipeline.write(canonical, plugin.framework(framework), folder)
    return "".join(p.read_text() for p in sorted(folder.iterdir()) if p.suffix in (".py", ".prototxt"))


def read(folder: Path, parameters: str) -> dict[str, Any]:
    """The canonical parameters of the network's only layer."""
    path = folder / f"net{len(parameters)}.prototxt"
    path.write_text(NET.format(parameters=parameters))
    artifact = recognise(path)
    _, form = plugin.format_named(artifact.format)
    source = plugin.resolve(form.reader)(artifact, ReadOptions())
    node = next(node for node in source.model.graph if node.op_type == "Elu")
    return dict(facts_of(node).values)


def shown(framework: str, api: str, canonical: str) -> tuple[str, str]:
    """The name and the default that the table shows for a parameter."""
    table = query(api, source=framework, target="onnx")[0].tables[0]
    row = next(row for row in table.rows if row.canonical == canonical)
    assert row.source is not None
    return row.source.name, row.source.default


def test_a_changed_card_changes_what_is_written_read_and_shown(tmp_path: Path, change_card: Change) -> None:
    image = {"X": (2, 3, 4, 5)}
    assert "elu_param" not in written("caffe", "Elu", tmp_path / "a", **image, alpha=1.0)
    assert "alpha: 0.5" in written("caffe", "Elu", tmp_path / "b", **image, alpha=0.5)
    assert read(tmp_path, "")["alpha"] == 1.0
    assert read(tmp_path, "elu_param { alpha: 0.25 }")["alpha"] == 0.25
    assert shown("caffe", "ELU", "alpha") == ("elu_param.alpha", "1.0")

    change_card("caffe", "Elu", "ELU", renamed("alpha", "relu_param.negative_slope", 0.5))

    assert "negative_slope: 1" in written("caffe", "Elu", tmp_path / "c", **image, alpha=1.0)
    assert "param" not in written("caffe", "Elu", tmp_path / "d", **image, alpha=0.5).replace("input_param", "")
    assert read(tmp_path, "")["alpha"] == 0.5
    assert read(tmp_path, "relu_param { negative_slope: 0.75 }")["alpha"] == 0.75
    assert shown("caffe", "ELU", "alpha") == ("relu_param.negative_slope", "0.5")


def test_a_changed_card_changes_written_python(tmp_path: Path, change_card: Change) -> None:
    image = {"X": (2, 3, 4, 5)}
    assert "negative_slope=0.25" in written("torch", "LeakyRelu", tmp_path / "a", **image, alpha=0.25)
    assert "negative_slope" not in written("torch", "LeakyRelu", tmp_path / "b", **image, alpha=0.01)
    change_card("torch", "LeakyRelu", "torch.nn.functional.leaky_relu", renamed("alpha", "leak", 0.25))
    assert "leak" not in written("torch", "LeakyRelu", tmp_path / "c", **image, alpha=0.25).replace(
        "leaky", ""
    ).replace("Leaky", "")
    assert "leak=0.01" in written("torch", "LeakyRelu", tmp_path / "d", **image, alpha=0.01)
    assert shown("torch", "torch.nn.functional.leaky_relu", "alpha") == ("leak", "0.25")


def test_a_changed_api_changes_what_is_written_and_found(tmp_path: Path, change_card: Change) -> None:
    change_card(
        "torch",
        "Sigmoid",
        "torch.sigmoid",
        lambda card: dataclasses.replace(card, api="torch.special.expit", aliases=()),
    )
    assert "torch.special.expit(" in written("torch", "Sigmoid", tmp_path / "a", X=(2, 3))
    assert query("torch.special.expit", target="onnx")[0].source.card.record == "Sigmoid"


def test_two_cards_for_one_key_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    original = cards._modules
    twin = types.ModuleType("elsewhere.activation")
    twin.CARDS = (next(row for row in cards.cards("torch") if row.api == "torch.sigmoid"),)  # type: ignore[attr-defined]
    monkeypatch.setattr(cards, "_modules", lambda package: [*original(package), twin])
    cards.cards.cache_clear()
    with pytest.raises(
        PluginError,
        match=r"Sigmoid as torch\.sigmoid.*interlingua_torch\.cards\.activation and in elsewhere\.activation",
    ):
        cards.cards("torch")
    monkeypatch.undo()
    forget_cards()


def test_an_attribute_no_card_knows_is_refused_never_dropped() -> None:
    card = next(row for row in cards.cards("torch") if row.api == "torch.nn.functional.elu")
    from interlingua.cards import Facts
    from interlingua.errors import Unsupported

    with pytest.raises(Unsupported, match="bate"):
        card.read_arguments({"bate": 2.0}, Facts("Elu", {}))
