"""Cards against Paddle itself: every API exists, with these parameters, in these words, with these defaults."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import interlingua.tables
from interlingua import cards
from interlingua.cards import REQUIRED, Card, Kind
from interlingua.worker import Worker

SIGNATURES = Path(interlingua.tables.__file__).with_name("runtime_signatures.py")
Signature = dict[str, str | None]


@pytest.fixture(scope="module")
def signatures() -> Iterator[dict[str, Signature]]:
    apis = sorted({name for _, name in ROWS})
    with Worker(Path(sys.executable), SIGNATURES, name="signatures") as worker:
        reply = worker.call("signatures", phase="measuring", apis=apis)
    yield {api: None if rows is None else dict(rows) for api, rows in reply.value.items()}


ROWS = [(card, name) for card in cards.cards("paddle") if card.kind is not Kind.SERIAL for name in card.names()]


def said(card: Card) -> dict[str, object]:
    """What the card says of the API's parameters: the default of each, REQUIRED where none."""
    found: dict[str, object] = {p.name: p.default for p in card.parameters.values() if p.name}
    found |= {name: fixed.default for name, fixed in card.fixed.items()}
    if card.kind is not Kind.LAYER:
        slots = (*card.inputs.values(), *card.weights.values())
        found |= {slot.name: slot.default for slot in slots}
    return found


@pytest.mark.parametrize(("card", "name"), ROWS, ids=[f"{card.record} {name}" for card, name in ROWS])
def test_a_card_says_what_the_api_is(card: Card, name: str, signatures: dict[str, Signature]) -> None:
    real = signatures[name]
    assert real is not None, f"{name} does not exist"
    told = said(card)
    assert not told.keys() - real.keys(), "the API has no such parameter"
    assert not real.keys() - told.keys() - card.ignored, "the card does not know a parameter"
    if name in {card.spelled(rank) for rank in card.ranks or (0,)}:
        assert not card.ignored - real.keys(), "the card passes over what is not there"
    for parameter, default in told.items():
        assert real[parameter] == (None if default is REQUIRED else repr(default)), parameter


def test_every_serialised_operand_is_an_input_or_a_parameter() -> None:
    from interlingua_paddle.cards.program import Operation

    for card in cards.cards("paddle"):
        if isinstance(card, Operation):
            known = {slot.name for slot in (*card.inputs.values(), *card.weights.values())}
            known |= {p.name for p in card.parameters.values()} | card.fixed.keys() | card.ignored
            assert set(card.operands) <= known, card.api
