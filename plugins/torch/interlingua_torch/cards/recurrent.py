"""Recurrent layers; the lowering of the family arranges their weights."""

from typing import Any

from interlingua.adapters import flag, same
from interlingua.cards import Card, Fixed, Kind, Slot, card


def _layer(record: str, api: str, states: dict[str, str], **more: Any) -> Card:
    return card(
        record,
        api,
        kind=Kind.LAYER,
        write=False,
        inputs={"X": "input", **states},
        weights={"W": Slot("weight_ih_l0"), "R": Slot("weight_hh_l0"), "B": Slot("bias_ih_l0")},
        hidden_size=same("hidden_size", positional=True),
        layout=flag("batch_first", False),
        fixed={"num_layers": Fixed(1, 1), "dropout": Fixed(0.0, 0.0), "bidirectional": Fixed(False, False)},
        ignored=("input_size", "bias", "device", "dtype"),
        limits=("lengths", "bounds of the activations' inputs", "other activations"),
        **more,
    )


CARDS = (
    _layer(
        "LSTM",
        "torch.nn.LSTM",
        {"initial_h": "h_0", "initial_c": "c_0"},
        traits={"gates": "input, forget, cell, output"},
    ),
    _layer("GRU", "torch.nn.GRU", {"initial_h": "h_0"}, traits={"gates": "reset, update, new"}),
    _layer("RNN", "torch.nn.RNN", {"initial_h": "h_0"}),
)
