"""The operators of saved programs (PIR): a vocabulary of its own, only read.

Operands have no names in the file; `operands` gives them in the file's order. Some are tensors, others constants
that another operator of the program holds: both are arguments here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from interlingua.adapters import choice, flag, parameter, per_axis, same, told_otherwise
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Fixed, Kind, Parameter, Slot, card
from interlingua.errors import Unsupported
from interlingua_paddle.adapters import NEW_AXES, ceil_mode, exclusive, pairs


@dataclasses.dataclass(frozen=True)
class Operation(Card):
    """A card of a serialised operator, with its operands' names in the file's order."""

    operands: tuple[str, ...] = ()


def _operation(record: str, api: str, operands: str, **more: Any) -> Operation:
    row = card(record, f"pd_op.{api}", kind=Kind.SERIAL, write=False, **more)
    return Operation(
        **{field.name: getattr(row, field.name) for field in dataclasses.fields(Card)}, operands=tuple(operands.split())
    )


_FIRST = {2: "NCHW", 3: "NCDHW"}
_LAST = {2: "NHWC", 3: "NDHWC"}


_AXES = Adapter(
    "axes_or_all",
    lambda value, facts: list(value or []),
    lambda value, facts: [value] if isinstance(value, int) else list(value) or None,
    "an empty list for all",
)


def _formats(rank: int) -> Iterator[tuple[str, str]]:
    yield _FIRST[rank], "N C *"
    yield _LAST[rank], "N * C"


def _ranks(rank: int) -> tuple[int, ...]:
    """One spatial axis is saved as two, one of them of size 1, and folded back when it is read."""
    return (1, 2) if rank == 2 else (rank,)


def _convolutions(record: str, api: str, rank: int, operands: str, **more: Any) -> Iterator[Operation]:
    fixed = more.pop("fixed", {})
    for form, order in _formats(more.pop("written_as", rank)):
        yield _operation(
            record,
            api,
            operands,
            ranks=_ranks(rank),
            inputs={"X": Slot("input", order)},
            weights={"W": Slot("filter"), "B": Slot("bias", default=None)},
            kernel_shape=told_otherwise("the weight's shape"),
            strides=per_axis("strides", 1),
            dilations=per_axis("dilations", 1),
            pads=pairs("paddings", 0),
            group=same("groups", 1),
            fixed={**fixed, "data_format": Fixed(form)},
            **more,
        )


def _transposed(api: str, rank: int, operands: str, **more: Any) -> Iterator[Operation]:
    """Saved with the data format NCHW for three spatial axes too."""
    yield from _convolutions(
        "ConvTranspose",
        api,
        rank,
        operands,
        output_padding=parameter("output_padding", (), _OUTPUT_PADDING),
        fixed={"output_size": Fixed([], [])},
        written_as=2,
        **more,
    )


_OUTPUT_PADDING = Adapter(
    "per_axis_or_none",
    lambda value, facts: list(value),
    lambda value, facts: list(value) or [0] * facts.rank,
    "an empty list for none",
)


def _window() -> dict[str, Any]:
    return {
        "kernel_shape": per_axis("kernel_size"),
        "strides": per_axis("strides", 1),
        "pads": pairs("paddings", 0),
        "ceil_mode": ceil_mode("ceil_mode"),
    }


def _pools(api: str, rank: int, operands: str) -> Iterator[Operation]:
    for form, order in _formats(rank):
        data = {"inputs": {"X": Slot("x", order)}, "ranks": _ranks(rank)}
        plain = {
            "data_format": Fixed(form),
            "adaptive": Fixed(False, False),
            "global_pooling": Fixed(False, False),
        }
        yield _operation(
            "MaxPool",
            api,
            operands,
            **data,
            **_window(),
            fixed={**plain, "pooling_type": Fixed("max")},
            ignored=("exclusive",),
        )
        yield _operation(
            "AveragePool",
            api,
            operands,
            **data,
            **_window(),
            count_include_pad=exclusive("exclusive"),
            fixed={**plain, "pooling_type": Fixed("avg")},
        )
        for name, fixed in (
            *(("adaptive", {"adaptive": Fixed(True), "kernel_size": Fixed([1] * axes)}) for axes in _ranks(rank)),
            ("global_pooling", {"global_pooling": Fixed(True)}),
        ):
            others = {"kernel_size", "adaptive", "global_pooling"} - fixed.keys()
            yield _operation(
                "GlobalAveragePool",
                api,
                operands,
                **data,
                fixed={**fixed, "data_format": plain["data_format"], "pooling_type": Fixed("avg")},
                ignored=("strides", "paddings", "ceil_mode", "exclusive", *sorted(others)),
                remark=f"where {name} says so",
            )


def _read_flatten(arguments: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    start, stop, rank = arguments["start_axis"], arguments["stop_axis"], facts["input_rank"]
    if start % rank != 1 or stop % rank != rank - 1:
        raise Unsupported(f"flattening the axes {start} to {stop}: Flatten keeps the first axis alone")
    return {"axis": 1}


def _read_pads(value: Any, facts: Facts) -> list[int]:
    """Pads of the spatial axes, the last first, or of every axis, the first first."""
    count = facts["input_rank"]
    given = [(value[i], value[i + 1]) for i in range(0, len(value), 2)]
    if len(given) != count:
        given = [(0, 0)] * (count - len(given)) + given[::-1]
    return [begin for begin, _ in given] + [end for _, end in given]


def _bound(name: str) -> Parameter:
    """A bound; the largest number of a type stands for none."""
    largest = 3.4028234663852886e38
    return parameter(
        name,
        REQUIRED,
        Adapter("bound", lambda value, facts: value, lambda value, facts: None if abs(value) >= largest else value),
    )


_PADS = Adapter("last_axis_first", lambda value, facts: list(value), _read_pads)
_MODE = choice("mode", "constant", constant="constant", reflect="reflect", edge="replicate", wrap="circular")
_ELEMENTWISE = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_PLAIN = {"Relu": "relu", "Sigmoid": "sigmoid", "Sqrt": "sqrt", "Exp": "exp", "Log": "log", "Abs": "abs"}

CARDS = (
    *_convolutions("Conv", "conv2d", 2, "input filter bias"),
    *_convolutions("Conv", "conv3d", 3, "input filter bias"),
    *_convolutions("Conv", "depthwise_conv2d", 2, "input filter bias"),
    *_transposed("conv2d_transpose", 2, "input filter output_size bias"),
    *_transposed("depthwise_conv2d_transpose", 2, "input filter output_size bias"),
    *_transposed("conv3d_transpose", 3, "input filter bias"),
    *_pools("pool2d", 2, "x kernel_size"),
    *_pools("pool3d", 3, "x"),
    *(_operation(op, name, "x y", inputs={"A": "x", "B": "y"}) for op, name in _ELEMENTWISE.items()),
    *(_operation(op, name, "x", inputs={"X": "x"}) for op, name in _PLAIN.items()),
    _operation("Tanh", "tanh", "x", inputs={"input": "x"}),
    _operation("Pow", "elementwise_pow", "x y", inputs={"X": "x", "Y": "y"}),
    _operation("LeakyRelu", "leaky_relu", "x", inputs={"X": "x"}, alpha=same("negative_slope", 0.02)),
    _operation(
        "PRelu",
        "prelu",
        "x alpha",
        inputs={"X": "x"},
        weights={"slope": Slot("alpha")},
        fixed={"data_format": Fixed("NCHW")},
        ignored=("mode",),
    ),
    _operation("Elu", "elu", "x", inputs={"X": "x"}, alpha=same("alpha", 1.0)),
    _operation("Softmax", "softmax", "x", inputs={"input": "x"}, axis=same("axis", -1)),
    _operation("Clip", "clip", "x min max", inputs={"input": "x"}, min=_bound("min"), max=_bound("max")),
    _operation("Clip", "hardtanh", "x", inputs={"input": "x"}, min=same("t_min", 0.0), max=same("t_max", 24.0)),
    _operation("Clip", "relu6", "x", inputs={"input": "x"}, implied={"min": 0.0, "max": 6.0}),
    _operation(
        "Gemm",
        "addmm",
        "input x y",
        inputs={"C": "input", "A": "x", "B": Slot("y", "I O")},
        alpha=same("alpha", 1.0),
        beta=same("beta", 1.0),
    ),
    _operation(
        "MatMul",
        "matmul",
        "x y",
        inputs={"A": "x", "B": "y"},
        fixed={"transpose_x": Fixed(False, False), "transpose_y": Fixed(False, False)},
    ),
    _operation("MatMul", "bmm", "x y", inputs={"A": "x", "B": "y"}),
    *(
        _operation(
            "BatchNormalization",
            "batch_norm_",
            "x mean variance scale bias",
            inputs={"X": Slot("x", order)},
            weights={
                "input_mean": Slot("mean"),
                "input_var": Slot("variance"),
                "scale": Slot("scale"),
                "B": Slot("bias"),
            },
            momentum=same("momentum"),
            epsilon=same("epsilon"),
            fixed={"data_format": Fixed(form, "NCHW")},
            ignored=("is_test", "use_global_stats", "trainable_statistics"),
        )
        for form, order in (("NCHW", "N C *"), ("NHWC", "N * C"))
    ),
    _operation(
        "Dropout",
        "dropout",
        "x seed_tensor p",
        inputs={"data": "x"},
        ratio=same("p"),
        fixed={"mode": Fixed("upscale_in_train")},
        ignored=("is_test", "seed", "fix_seed", "seed_tensor"),
    ),
    _operation(
        "Flatten", "flatten", "x", inputs={"input": "x"}, read_=_read_flatten, ignored=("start_axis", "stop_axis")
    ),
    _operation("Reshape", "reshape", "x shape", inputs={"data": "x"}, shape=same("shape")),
    _operation("Transpose", "transpose", "x", inputs={"data": "x"}, perm=same("perm")),
    _operation("Concat", "concat", "x axis", inputs={"inputs": "x"}, axis=same("axis")),
    _operation("Squeeze", "squeeze", "x axis", inputs={"data": "x"}, axes=parameter("axis", REQUIRED, _AXES)),
    _operation("Unsqueeze", "unsqueeze", "x axis", inputs={"data": "x"}, axes=parameter("axis", REQUIRED, NEW_AXES)),
    _operation(
        "Pad",
        "pad3d",
        "x paddings",
        inputs={"data": "x"},
        pads=parameter("paddings", REQUIRED, _PADS),
        mode=_MODE,
        constant_value=same("pad_value", 0.0),
        fixed={"data_format": Fixed("NCDHW", "NCDHW")},
    ),
    _operation(
        "Pad",
        "pad",
        "x pad_value",
        inputs={"data": "x"},
        pads=parameter("paddings", REQUIRED, _PADS),
        constant_value=same("pad_value"),
    ),
    _operation(
        "ReduceMean",
        "mean",
        "x axis",
        inputs={"data": "x"},
        axes=parameter("axis", REQUIRED, _AXES),
        keepdims=flag("keepdim"),
    ),
    _operation(
        "softmax_cross_entropy",
        "cross_entropy_with_softmax",
        "input label",
        inputs={"logits": "input", "labels": "label"},
        implied={"reduction": "none"},
        soft_labels=same("soft_label"),
        ignore_index=same("ignore_index", -100),
        axis=same("axis", -1),
        fixed={"use_softmax": Fixed(True)},
        read=False,
        ignored=("numeric_stable_mode",),
    ),
    _operation(
        "placeholder",
        "data",
        "",
        name=same("name"),
        shape=same("shape"),
        dtype=same("dtype"),
        read=False,
        ignored=("place",),
    ),
)
