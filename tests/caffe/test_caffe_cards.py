"""A card is the one place that knows: what is written and what is read change with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from interlingua import cards
from interlingua.errors import Unsupported
from interlingua_caffe.arguments import arguments_of, set_arguments, slot_index
from interlingua_caffe.cards import activation
from interlingua_caffe.proto import message
from interlingua_caffe.proto.text import parse

ALL = cards.cards("caffe")


@pytest.fixture
def elu_of_a_half(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The card of ELU with another default, in everybody's sight."""

    def changed(card: Any) -> Any:
        if card.record != "Elu":
            return card
        alpha = dataclasses.replace(card.parameters["alpha"], default=0.5)
        return dataclasses.replace(card, parameters={"alpha": alpha})

    def forget() -> None:
        for cached in (cards.cards, cards.by_record, cards.by_api):
            cached.cache_clear()

    monkeypatch.setattr(activation, "CARDS", tuple(changed(card) for card in activation.CARDS))
    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.mark.usefixtures("elu_of_a_half")
def test_a_changed_default_changes_what_is_written_and_read(nets: Any, sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 8, 10))
    half = sketch.record("Elu", {"X": [x]}, {"alpha": 0.5}, layer="half")
    whole = sketch.record("Elu", {"X": [half]}, {}, layer="whole")
    sketch.write(sketch.canonical(whole))
    assert sketch.layers() == ['"ELU"', '"ELU" elu_param { alpha: 1 }']
    path = nets.net(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "y" type: "ELU" bottom: "x" top: "y" }'
    )
    (node,) = nets.read(path).model.graph
    assert node.attributes["alpha"].as_float() == 0.5


@pytest.mark.parametrize("card", ALL, ids=lambda card: f"{card.record} {card.api}")
def test_cards_name_fields_and_slots_that_caffe_has(card: Any) -> None:
    """Every dotted name is a field of the schema, every default Caffe's own, every slot a bottom, a blob or a field."""
    named = {p.name: p.default for p in card.parameters.values()}
    named |= {name: fixed.default for name, fixed in card.fixed.items()}
    named |= dict.fromkeys(card.ignored, cards.REQUIRED)
    for slot in (*card.inputs.values(), *card.weights.values()):
        if not slot_index(slot.name)[0]:
            named[slot.name] = slot.default
    for path, default in named.items():
        descriptor, field = message("LayerParameter").DESCRIPTOR, None
        for part in path.split("."):
            field = descriptor.fields_by_name.get(part)
            assert field is not None, path
            descriptor = field.message_type
        if default not in (cards.REQUIRED, None) and field is not None and field.has_default_value:
            theirs = field.default_value
            theirs = field.enum_type.values_by_number[theirs].name if field.enum_type else theirs
            assert default == (pytest.approx(theirs) if isinstance(default, float) else theirs), path


@pytest.mark.parametrize(
    "fields",
    [
        "convolution_param { num_output: 3 kernel_size: 3 kernel_size: 5 pad: 1 pad: 2 stride: 2 }",
        "pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride: 2 round_mode: FLOOR }",
        "eltwise_param { operation: SUM coeff: 1 coeff: -1 }",
        "lrn_param { alpha: 0.0001 norm_region: WITHIN_CHANNEL }",
        "reshape_param { shape { dim: 0 dim: -1 } axis: 1 }",
    ],
)
def test_arguments_go_both_ways(fields: str) -> None:
    net, _ = parse(f"layer {{ {fields} }}", "")
    said = arguments_of(net.layer[0])
    again = message("LayerParameter")
    set_arguments(again, said)
    assert arguments_of(again) == said
    assert all(not isinstance(value, np.generic) for value in said.values())


def test_sides_and_old_spellings_are_told_as_the_cards_name_them() -> None:
    net, _ = parse(
        "layer { convolution_param { kernel_h: 3 kernel_w: 5 pad_w: 2 stride_h: 2 } concat_param { concat_dim: 2 }"
        " pooling_param { ceil_mode: false } }",
        "",
    )
    assert arguments_of(net.layer[0]) == {
        "convolution_param.kernel_size": [3, 5],
        "convolution_param.pad": [0, 2],
        "convolution_param.stride": [2, 1],
        "concat_param.axis": 2,
        "pooling_param.round_mode": "FLOOR",
    }
    net, _ = parse("layer { convolution_param { kernel_h: 3 } }", "")
    with pytest.raises(Unsupported, match="one of kernel_h and kernel_w alone"):
        arguments_of(net.layer[0])
    with pytest.raises(Unsupported, match="holds one number"):
        set_arguments(message("LayerParameter"), {"pooling_param.kernel_size": [2, 2, 2]})
