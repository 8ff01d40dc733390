"""Cards against Fluid itself: every API with these parameters and defaults, every operator with these attributes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import interlingua.tables
from interlingua import cards
from interlingua.cards import REQUIRED, Card, Kind
from interlingua.worker import Worker

pytestmark = pytest.mark.legacy

SIGNATURES = Path(interlingua.tables.__file__).with_name("runtime_signatures.py")
ROWS = [(card, name) for card in cards.cards("fluid") if card.kind is not Kind.SERIAL for name in card.names()]
OPERATORS = [card for card in cards.cards("fluid") if card.kind is Kind.SERIAL]
PROTOS = """
import json
from paddle.fluid.framework import OpProtoHolder
protos = OpProtoHolder.instance().get_op_proto
for name in input().split():
    proto = protos(name)
    print(json.dumps([name, [slot.name for slot in proto.inputs], [attribute.name for attribute in proto.attrs]]))
"""


@pytest.fixture(scope="module")
def signatures(fluid_python: Path) -> Iterator[dict[str, dict[str, str | None]]]:
    with Worker(fluid_python, SIGNATURES, name="signatures") as worker:
        reply = worker.call("signatures", phase="measuring", apis=sorted({name for _, name in ROWS}))
    yield {api: dict(rows) for api, rows in reply.value.items() if rows is not None}


@pytest.fixture(scope="module")
def protos(fluid_python: Path) -> dict[str, tuple[set[str], set[str]]]:
    names = " ".join(sorted({card.api for card in OPERATORS}))
    told = subprocess.run([str(fluid_python), "-c", PROTOS], input=names, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("[")]
    return {name: (set(inputs), set(attributes)) for name, inputs, attributes in rows}


@pytest.mark.parametrize(("card", "name"), ROWS, ids=[f"{card.record} {name}" for card, name in ROWS])
def test_a_card_says_what_the_api_is(card: Card, name: str, signatures: dict[str, dict[str, str | None]]) -> None:
    real = signatures[name]
    told = {p.name: p.default for p in card.parameters.values() if p.name not in ("", "axes") or p.adapter.read}
    told |= {argument: fixed.default for argument, fixed in card.fixed.items()}
    if card.kind is not Kind.LAYER:
        told |= {slot.name: slot.default for slot in card.inputs.values()}
    attributes = set() if card.kind is Kind.LAYER else {slot.name for slot in card.weights.values()}
    assert not (told.keys() | attributes | card.ignored) - real.keys(), "the API has no such parameter"
    assert not real.keys() - told.keys() - attributes - card.ignored, "the card does not know a parameter"
    for parameter, default in told.items():
        assert real[parameter] == (None if default is REQUIRED else repr(default)), parameter


def test_every_operator_has_the_inputs_and_attributes_of_its_card(protos: dict[str, tuple[set[str], set[str]]]) -> None:
    for card in OPERATORS:
        inputs, attributes = protos[card.api]
        assert {slot.name for slot in (*card.inputs.values(), *card.weights.values())} - {"Bias"} <= inputs, card.api
        known = {p.name for p in card.parameters.values() if p.adapter.read} | card.fixed.keys()
        assert known <= attributes, (card.api, known - attributes)
        assert attributes <= known | card.ignored, (card.api, attributes - known - card.ignored)
