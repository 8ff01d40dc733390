"""Convolutions: layers that own their kernels."""

from collections.abc import Sequence
from typing import Any

from interlingua.adapters import counted, flag, parameter, per_axis, policy, same, split_pads
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Kind, Parameter, Slot, card
from interlingua.errors import Unsupported
from interlingua_keras.cards.forms import ACTIVATION, DATA_FORMAT, channels_last, told, trained

TRANSPOSE, RESHAPE = "keras.ops.transpose", "keras.ops.reshape"
"""What a kernel and bias that the model computes are brought into Keras' order with."""

CROPPING = "keras.layers.Cropping{n}D"
"""Cuts off what a transposed convolution with pads of its own has too much."""

_LIMITS = ("padding that is neither 'valid' nor 'same'", "strides and dilations above 1 together")
_TRAITS = {"bias": "on by default", "pad": "a word", "activation": "may be fused by name"}


def _one_of_both(facts: Facts) -> bool:
    strides, dilations = facts.get("strides") or [1], facts.get("dilations") or [1]
    return bool(max(strides) == 1 or max(dilations) == 1)


def _depthwise(facts: Facts) -> bool:
    strides = facts.get("strides") or [1]
    return bool(facts.get("depthwise")) and len(set(strides)) == 1 and _one_of_both(facts)


def _layer(record: str, api: str, kernel: str, *, ranks: Sequence[int] = (1, 2, 3), **extra: Any) -> Card:
    return card(
        record,
        api,
        kind=Kind.LAYER,
        ranks=ranks,
        inputs={"X": Slot("inputs", "N * C")},
        weights={"W": Slot("kernel", kernel), "B": Slot("bias")},
        outputs={"Y": "N * C"},
        ignored=(*trained("kernel", "depthwise", "bias"), DATA_FORMAT, ACTIVATION),
        limits=_LIMITS,
        traits=_TRAITS,
        **extra,
    )


def _function(record: str, api: str, kernel: str, **extra: Any) -> Card:
    return card(
        record,
        api,
        write=False,
        read=False,
        ranks=(1, 2, 3),
        when=_one_of_both,
        inputs={"X": Slot("inputs", "N * C"), "W": Slot("kernel", kernel)},
        outputs={"Y": "N * C"},
        ignored=(DATA_FORMAT,),
        limits=_LIMITS,
        kernel_shape=told("kernel_shape", "the kernel's"),
        strides=per_axis("strides", 1),
        dilations=per_axis("dilation_rate", 1),
        **extra,
    )


def _channels(value: Any, facts: Facts) -> Any:
    channels = channels_last(facts)
    if channels is None:
        raise Unsupported("the number of input channels is not known")
    return channels


_WORD = policy("padding", "valid", same="same", valid="valid")
_GROUPS_OF_ONE = parameter("(groups)", None, Adapter("told", lambda value, facts: None, _channels, "one a channel"))


def reach(facts: Facts, axis: int) -> int:
    """How far a kernel reaches along an axis, with its dilation."""
    dilations = facts.get("dilations") or [1] * facts.rank
    return int((facts["kernel_shape"][axis] - 1) * dilations[axis] + 1)


def overlap(facts: Facts, axis: int) -> int:
    """What a transposed convolution's output has beyond input times stride."""
    return int(max(reach(facts, axis) - facts["strides"][axis], 0))


def crop(facts: Facts) -> list[tuple[int, int]]:
    """What is to be cut off each spatial axis of a "valid" Keras output to get ONNX's; below 0, to be added."""
    begin, end = split_pads(facts["pads"])
    output_padding = facts.get("output_padding") or [0] * facts.rank
    rows = []
    for axis in range(facts.rank):
        short = max(facts["strides"][axis] - reach(facts, axis), 0)
        rows.append((begin[axis], end[axis] + short - output_padding[axis]))
    return rows


def _transposed_padding(name: str, default: Any) -> Parameter:
    """Padding by a word: "valid" gives all there is, "same" input times stride, cut more at the end."""

    def lower(value: Any, facts: Facts) -> Any:
        if not any(value):
            return "valid"
        rows = crop(facts)
        over = [overlap(facts, axis) for axis in range(facts.rank)]
        if rows == [(total // 2, total - total // 2) for total in over]:
            return "same"
        raise Unsupported(f"pads {list(value)} are neither 'valid' nor 'same'")

    def read(value: Any, facts: Facts) -> Any:
        if value not in ("valid", "same"):
            raise Unsupported(f"padding {value!r} is neither 'valid' nor 'same'")
        said = facts.get("output_padding_said")
        totals = []
        for axis in range(facts.rank):
            total = overlap(facts, axis) if said is None else reach(facts, axis) // 2 * 2 - said[axis]
            totals.append(total if value == "same" else 0)
        if min(totals) < 0:
            raise Unsupported(f"output_padding {said} beyond the kernel")
        return [total // 2 for total in totals] + [total - total // 2 for total in totals]

    return parameter(name, default, Adapter("transposed_padding", lower, read, "'same' or 'valid' only"))


def _said_output_padding(value: Any, facts: Facts) -> Any:
    """None where it is what a stride beyond the kernel leaves open, or where a cropping says it."""
    usual = [max(facts["strides"][axis] - reach(facts, axis), 0) for axis in range(facts.rank)]
    if any(facts["pads"]) or list(value) == usual:
        return None
    return value[0] if len(set(value)) == 1 else tuple(value)


def _output_padding(value: Any, facts: Facts) -> Any:
    """What ONNX adds at the end: what Keras was told, or what a stride beyond the kernel leaves open."""
    if value is None:
        return [max(facts["strides"][axis] - reach(facts, axis), 0) for axis in range(facts.rank)]
    return [value] * facts.rank if isinstance(value, int) else list(value)


def _read_transposed(arguments: Any, facts: Facts) -> dict[str, Any]:
    """Reads sizes first, then the padding that follows from them."""
    spread = {name: p for name, p in _TRANSPOSED.items() if name not in ("pads", "output_padding")}
    values: dict[str, Any] = {}
    for name, row in spread.items():
        value = arguments.get(row.name, row.default)
        if value is not REQUIRED and row.adapter.read is not None:
            values[name] = row.adapter.read(value, facts)
    said = arguments.get("output_padding")
    output_padding = None if said is None else _output_padding(said, facts)
    known = Facts(facts.record, {**values, "output_padding_said": output_padding}, facts.rank, facts.shapes)
    word = arguments.get("padding", "valid")
    pads = _TRANSPOSED["pads"].adapter.read
    assert pads is not None
    values["pads"] = pads(word, known)
    if said is None or word == "valid":
        values["output_padding"] = _output_padding(said, known)
    return values


_OUTPUT_PADDING = Adapter(
    "output_padding", _said_output_padding, _output_padding, "more at the end, by default to fill"
)

_TRANSPOSED = {
    "out_channels": counted("filters"),
    "kernel_shape": per_axis("kernel_size"),
    "strides": per_axis("strides", 1),
    "pads": _transposed_padding("padding", "valid"),
    "output_padding": parameter("output_padding", None, _OUTPUT_PADDING),
    "dilations": per_axis("dilation_rate", 1),
    "has_bias": flag("use_bias", True),
}

CARDS = (
    _layer(
        "Conv",
        "keras.layers.DepthwiseConv{n}D",
        "* I M",
        ranks=(1, 2),
        when=_depthwise,
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=per_axis("strides", 1),
        pads=_WORD,
        dilations=per_axis("dilation_rate", 1),
        multiplier=same("depth_multiplier", 1),
        group=_GROUPS_OF_ONE,
        has_bias=flag("use_bias", True),
    ),
    _layer(
        "Conv",
        "keras.layers.Conv{n}D",
        "* I O",
        aliases=("keras.layers.Convolution{n}D",),
        when=_one_of_both,
        out_channels=same("filters", positional=True),
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=per_axis("strides", 1),
        pads=_WORD,
        dilations=per_axis("dilation_rate", 1),
        group=same("groups", 1),
        has_bias=flag("use_bias", True),
    ),
    _layer(
        "ConvTranspose",
        "keras.layers.Conv{n}DTranspose",
        "* O I",
        aliases=("keras.layers.Convolution{n}DTranspose",),
        when=_one_of_both,
        read_=_read_transposed,
        parameters={
            **_TRANSPOSED,
            "out_channels": same("filters", positional=True),
            "kernel_shape": per_axis("kernel_size", positional=True),
        },
    ),
    _function(
        "Conv", "keras.ops.conv", "* I O", pads=_WORD, group=told("group", "the kernel's and the input's channels")
    ),
    _function(
        "ConvTranspose",
        "keras.ops.conv_transpose",
        "* O I",
        pads=_transposed_padding("padding", "valid"),
        output_padding=parameter("output_padding", None, _OUTPUT_PADDING),
    ),
)
