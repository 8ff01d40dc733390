"""Reads single operators: by a function of their own, through their card, or as opaque nodes."""

from __future__ import annotations

from interlingua import cards
from interlingua.formats.program_desc import Operator
from interlingua_fluid.frontend import arithmetic, layers
from interlingua_fluid.frontend.calls import READERS, by_card
from interlingua_fluid.frontend.graph import Reading, layer_of

DOMAIN = "paddle.fluid"
MODULES = (arithmetic, layers)


def read_operator(reading: Reading, op: Operator, bias: str | None) -> None:
    """Adds what the operator computes to the graph; `bias` is a vector it adds to each channel.

    One that nothing knows becomes an opaque node of the domain `paddle.fluid`.

    Raises:
        Unsupported: an attribute has no counterpart.
        InvalidSource: the operator is in training mode, or a weight does not fit.
    """
    function = READERS.get(op.type)
    if function is not None:
        function(reading, op, bias)
    elif op.type in cards.by_api("fluid"):
        by_card(reading, op, bias)
    else:
        _opaque(reading, op)


def _opaque(reading: Reading, op: Operator) -> None:
    """An operator nobody reads travels on; who must write it refuses it with all others."""
    inputs = [reading.value(name) for name in op.reads()]
    plain = {n: v for n, v in op.attributes.items() if isinstance(v, int | float | str) and not n.startswith("op_")}
    value = reading.builder.node(op.type, inputs, plain, layer=layer_of(op), outputs=len(op.writes()), domain=DOMAIN)
    node = value.producer()
    assert node is not None
    for name, output in zip(op.writes(), node.outputs, strict=True):
        reading.define(name, output)
