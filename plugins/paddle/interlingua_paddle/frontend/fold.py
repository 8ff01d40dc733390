"""What Paddle's own layers spell as several operators, said as the one that a person wrote.

Each rule's first sentence is the transformation. Values that anything else uses are never folded away. The bias of
a convolution becomes its last operand; a function that no operator stands for keeps its API's name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from interlingua_paddle.frontend.pir import MALFORMED, Operator, Program, malformed

CONVOLUTIONS = frozenset(
    f"pd_op.{name}"
    for name in (
        "conv2d",
        "conv3d",
        "depthwise_conv2d",
        "conv2d_transpose",
        "depthwise_conv2d_transpose",
        "conv3d_transpose",
    )
)
LISTS = frozenset({"strides", "dilations", "output_padding", "kernel_size", "paddings"})


class Block:
    """A program's operators with who makes and who uses each value."""

    def __init__(self, program: Program) -> None:
        self.operators = list(program.operators)
        self.parameters = {parameter.value.number: parameter for parameter in program.parameters}
        self.values = program.values()
        self.fetched = set(program.outputs.values())
        self._index()

    def _index(self) -> None:
        self.makers = {value.number: operator for operator in self.operators for value in operator.outputs}
        self.uses: dict[int, int] = dict.fromkeys(self.fetched, 1)
        for operator in self.operators:
            for number in _numbers(operator):
                self.uses[number] = self.uses.get(number, 0) + 1

    def maker(self, number: int, *names: str) -> Operator | None:
        """The operator that makes the value for one use alone, if it is of one of the names."""
        operator = self.makers.get(number)
        if operator is None or operator.name not in names or self.uses.get(number) != 1:
            return None
        return operator

    def constant(self, number: int) -> Any:
        """A constant's numbers, None where it is none."""
        operator = self.makers.get(number)
        if operator is None or operator.name not in ("pd_op.full", "pd_op.full_int_array"):
            return None
        return operator.attributes["value"]

    def replace(self, last: Operator, new: Operator) -> None:
        """Puts `new` where `last` stands; what it made unused is swept later."""
        self.operators[self.operators.index(last)] = new
        self._index()

    def sweep(self) -> None:
        """Removes operators whose results nothing uses."""
        while True:
            kept = [o for o in self.operators if any(self.uses.get(v.number) for v in o.outputs) or not o.outputs]
            if len(kept) == len(self.operators):
                return
            self.operators = kept
            self._index()


def _numbers(operator: Operator) -> Iterable[int]:
    yield from operator.inputs
    for region in operator.regions:
        for inner in region:
            yield from _numbers(inner)


Rule = Callable[[Block, Operator], Operator | None]


def bias(block: Block, operator: Operator) -> Operator | None:
    """Replaces `add(conv(x, w), reshape(b, [1, -1, 1, 1]))` by `conv(x, w, b)`."""
    if operator.name != "pd_op.add":
        return None
    convolution = block.maker(operator.inputs[0], *CONVOLUTIONS)
    reshape = block.maker(operator.inputs[1], "pd_op.reshape")
    if convolution is None or reshape is None or reshape.inputs[0] not in block.parameters:
        return None
    shape = block.values[reshape.outputs[0].number].shape or ()
    channel = 1 if str(convolution.attributes["data_format"]).startswith("NC") else len(shape) - 1
    whole = block.values[convolution.outputs[0].number].shape or ()
    vector = block.parameters[reshape.inputs[0]].value.shape or ()
    wide = [size if axis == channel else 1 for axis, size in enumerate(whole)]
    if list(shape) != wide or list(vector) != [whole[channel]]:
        return None
    return dataclasses.replace(convolution, inputs=(*convolution.inputs, reshape.inputs[0]), outputs=operator.outputs)


def lifted(block: Block, operator: Operator) -> Operator | None:
    """Replaces `squeeze(op(unsqueeze(x, axes)), axes)` by `op(x)` on fewer spatial axes."""
    if operator.name != "pd_op.squeeze":
        return None
    inner = block.maker(operator.inputs[0], *CONVOLUTIONS, "pd_op.pool2d", "pd_op.pad3d")
    unsqueeze = None if inner is None else block.maker(inner.inputs[0], "pd_op.unsqueeze")
    if inner is None or unsqueeze is None or not str(inner.attributes["data_format"]).startswith("NC"):
        return None
    shape = block.values[unsqueeze.outputs[0].number].shape
    axes = _axes(block, unsqueeze, shape)
    if shape is None or axes is None or axes != _axes(block, operator, shape) or min(axes) < 2:
        return None
    kept = [axis - 2 for axis in range(2, len(shape)) if axis not in axes]
    inputs = list(inner.inputs)
    inputs[0] = unsqueeze.inputs[0]
    attributes = dict(inner.attributes)
    if inner.name in CONVOLUTIONS:
        weight = _unlifted(block, inner.inputs[1], axes)
        if weight is None:
            return None
        inputs[1] = weight
    else:
        key = "paddings" if inner.name == "pd_op.pad3d" else "kernel_size"
        attributes[key] = block.constant(inputs.pop(1))
        if attributes[key] is None:
            return None
    for name in LISTS & attributes.keys():
        shortened = _without(attributes[name], kept, len(shape) - 2, inner.name == "pd_op.pad3d", name)
        if shortened is None:
            return None
        attributes[name] = shortened
    return dataclasses.replace(inner, inputs=tuple(inputs), outputs=operator.outputs, attributes=attributes)


def _axes(block: Block, operator: Operator, shape: Sequence[int | None] | None) -> list[int] | None:
    given = block.constant(operator.inputs[1])
    return None if not given or shape is None else sorted(axis % len(shape) for axis in given)


def _unlifted(block: Block, number: int, axes: list[int]) -> int | None:
    """The weight before its axes of size 1 were added (Conv1D copies it first)."""
    unsqueeze = block.maker(number, "pd_op.unsqueeze")
    if unsqueeze is None or _axes(block, unsqueeze, block.values[number].shape) != axes:
        return None
    copied = block.maker(unsqueeze.inputs[0], "pd_op.assign")
    return copied.inputs[0] if copied is not None else unsqueeze.inputs[0]


def _without(given: list[int], kept: list[int], rank: int, last_first: bool, name: str) -> list[int] | None:
    """The numbers of the kept axes, None where another axis says more than nothing."""
    if not given:
        return []
    width = len(given) // rank
    groups = [given[i * width : (i + 1) * width] for i in range(rank)]
    if last_first:
        groups.reverse()
    nothing = 0 if name in ("paddings", "output_padding") else 1
    if any(number != nothing for axis, group in enumerate(groups) if axis not in kept for number in group):
        return None
    groups = [groups[axis] for axis in kept]
    return [number for group in (reversed(groups) if last_first else groups) for number in group]


_MOVES = ("pd_op.reshape", "pd_op.squeeze", "pd_op.unsqueeze")


def response_normalization(block: Block, operator: Operator) -> Operator | None:
    """Replaces `x / (k + alpha · mean of x² over channels) ^ beta` by `local_response_norm(x)`."""
    if operator.name != "pd_op.divide":
        return None
    power = block.maker(operator.inputs[1], "pd_op.pow")
    scale = power and block.maker(power.inputs[0], "pd_op.scale")
    if not power or not scale or not scale.attributes["bias_after_scale"]:
        return None
    alpha = block.constant(scale.inputs[1])
    pool = _behind(block, scale.inputs[0], "pd_op.pool2d", "pd_op.pool3d")
    pad = pool and _behind(block, pool.inputs[0], "pd_op.pad3d")
    square = pad and _behind(block, pad.inputs[0], "pd_op.multiply")
    if alpha is None or not pool or not pad or not square or square.inputs != (operator.inputs[0],) * 2:
        return None
    kernel = pool.attributes.get("kernel_size") or block.constant(pool.inputs[1])
    padding = pad.attributes.get("paddings") or block.constant(pad.inputs[1])
    rank = len(block.values[operator.outputs[0].number].shape or ())
    if not kernel or not padding or pool.attributes["pooling_type"] != "avg" or any(pool.attributes["paddings"]):
        return None
    size = kernel[0]
    if size % 2 == 0:  # ONNX places an even window one channel higher
        return None
    plain = [size // 2, size // 2]
    if any(k != 1 for k in kernel[1:]) or padding[-2:] != plain or any(padding[:-2]) or not 3 <= rank <= 5:
        return None
    return Operator(
        "paddle.nn.functional.local_response_norm",
        {"size": size, "alpha": alpha, "beta": power.attributes["y"], "k": scale.attributes["bias"]},
        (operator.inputs[0],),
        operator.outputs,
        scope=operator.scope,
    )


def _behind(block: Block, number: int, *names: str) -> Operator | None:
    """The operator of one of the names, behind operators that only move axes."""
    while (moved := block.maker(number, *_MOVES)) is not None:
        number = moved.inputs[0]
    return block.maker(number, *names)


def dense(block: Block, operator: Operator) -> Operator | None:
    """Replaces `add(matmul(x, w), b)` of a matrix x and parameters w and b by `linear(x, w, b)`."""
    product = block.maker(operator.inputs[0], "pd_op.matmul") if operator.name == "pd_op.add" else None
    if product is None or product.attributes["transpose_x"] or product.attributes["transpose_y"]:
        return None
    weight, vector = block.parameters.get(product.inputs[1]), block.parameters.get(operator.inputs[1])
    if weight is None or vector is None or len(vector.value.shape or ()) != 1 or len(weight.value.shape or ()) != 2:
        return None
    if len(block.values[product.inputs[0]].shape or ()) != 2 or vector.value.shape != (weight.value.shape or ())[1:]:
        return None
    inputs = (*product.inputs, operator.inputs[1])
    return Operator("paddle.nn.functional.linear", {}, inputs, operator.outputs, scope=product.scope)


RULES: tuple[Rule, ...] = (bias, lifted, response_normalization, dense)


def fold(program: Program) -> tuple[Operator, ...]:
    """The program's operators, folded by every rule in turn.

    Raises:
        InvalidSource: an operator is not as Paddle writes it.
    """
    block = Block(program)
    for rule in RULES:
        for operator in list(block.operators):
            try:
                new = rule(block, operator) if operator in block.operators else None
            except MALFORMED as error:
                raise malformed(operator, "", error) from error
            if new is not None:
                block.replace(operator, new)
        block.sweep()
    return tuple(block.operators)
