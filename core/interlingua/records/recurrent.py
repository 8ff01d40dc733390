"""Recurrent layers over sequences: LSTM, GRU and the plain one, in one or both directions."""

from interlingua.records import CanonicalParameter, Input, Record, attribute, record_of

_SEQUENCE = (
    Input("X"),
    Input("W", "", learned=True),
    Input("R", "", learned=True),
    Input("B", "", learned=True, optional=True),
    Input("sequence_lens", optional=True),
    Input("initial_h", optional=True),
)
_CELL = (
    Input("initial_c", optional=True),
    Input("P", "", learned=True, optional=True),
)
_OUTPUTS = (Input("Y", optional=True), Input("Y_h", optional=True))


def _recurrent(
    name: str,
    summary: str,
    synonyms: tuple[str, ...],
    *more: CanonicalParameter,
    inputs: tuple[Input, ...] = (),
    outputs: tuple[Input, ...] = (),
    activations: tuple[str, ...] | None = None,
) -> Record:
    parameters = [
        attribute("hidden_size", None, "length of the state"),
        attribute("direction", "forward", "forward, reverse or bidirectional"),
        attribute("layout", 0, "1 where the batch is the first axis, before time"),
        attribute("clip", None, "bound of what goes into the activations"),
        attribute("activations", activations, "names of the activations, for each direction"),
        attribute("activation_alpha", None, "first numbers of the activations"),
        attribute("activation_beta", None, "second numbers of the activations"),
        *more,
    ]
    whole = [*_SEQUENCE, *inputs]
    return record_of(name, summary, whole, parameters, outputs=[*_OUTPUTS, *outputs], synonyms=synonyms)


RECORDS = (
    _recurrent(
        "LSTM",
        "long short-term memory: gates i, o, f, c over the input and the state",
        ("long short-term memory",),
        attribute("input_forget", 0, "couples the input gate to the forget gate"),
        inputs=_CELL,
        outputs=(Input("Y_c", optional=True),),
    ),
    _recurrent(
        "GRU",
        "gated recurrent unit: gates z, r, h over the input and the state",
        ("gated recurrent unit",),
        attribute("linear_before_reset", 0, "applies the reset gate after the state's matrix product"),
    ),
    _recurrent(
        "RNN",
        "recurrent layer without gates: h = f(W x + R h + b)",
        ("elman", "vanilla rnn", "simple rnn"),
        activations=("Tanh", "Tanh"),
    ),
)
