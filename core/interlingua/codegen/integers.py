"""Sizes in generated code: shape arithmetic as Python expressions (`batch * 4`) instead of tensors of integers."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

import onnx_ir as ir

from interlingua.codegen.expressions import parse
from interlingua.ir.edit import constant
from interlingua.ir.shapes import Dimension, Symbol, dimension, of_shape
from interlingua.passes.shape_arithmetic import ARITHMETIC, LONGEST, Known, propagated

_AXIS_NAMES = {4: ("batch", "channels", "height", "width"), 3: ("batch", "length", "features"), 2: ("batch", "length")}
_UNNAMED = re.compile(r"[a-z]{0,2}\d+$|.*_\d+$|unk.*|None")

Bind = Callable[[ir.Value, int, str], str]
"""Gives an axis of a value (with a hint for its name) a variable that holds its size."""


class Integers:
    """What small vectors of integers hold, as dimension expressions over variables of the generated code.

    In a `nested` graph sizes are read from the values themselves: its names of dimensions may be its own.
    """

    def __init__(self, inputs: Sequence[ir.Value], bind: Bind) -> None:
        self._known: dict[ir.Value, Known] = {}
        self._symbols: dict[str, tuple[ir.Value, int]] = {}
        self._variables: dict[str, str] = {}
        self._bind = bind
        self.nested = False
        for value in inputs:
            if isinstance(value.type, ir.SequenceType | ir.OptionalType):
                continue
            for axis, size in enumerate(value.shape or ()):
                if not isinstance(size, int) and size.value is not None and re.fullmatch(r"[^\W\d]\w*", size.value):
                    self._symbols.setdefault(size.value, (value, axis))

    def state(self, value: ir.Value, entries: Known) -> None:
        """Tells what a value holds."""
        self._known[value] = entries

    def variable(self, identifier: str) -> Dimension:
        """The expression that a variable of the code stands for; a dimension of its name is another thing."""
        symbol = identifier
        while symbol in self._symbols:
            symbol += "_"
        self._variables[symbol] = identifier
        return Dimension((((Symbol(symbol),), 1),))

    def take(self, node: ir.Node) -> bool:
        """Whether the node is shape arithmetic, which needs no statement; what it holds is kept."""
        if node.domain != "" or node.op_type not in ARITHMETIC or len(node.outputs) != 1:
            return False
        if node.op_type in ("Shape", "Size"):
            found = self._sizes(node)
        elif any(value in self._known for value in node.inputs if value is not None):
            found = propagated(node, self._known)
        else:
            return False
        if found is None or len(found) > LONGEST:
            return False
        self._known[node.outputs[0]] = found
        return True

    def _sizes(self, node: ir.Node) -> Known | None:
        source = node.inputs[0]
        if source is None or source.shape is None:
            return None
        axes = range(len(source.shape))
        if node.op_type == "Size":
            total = dimension(1)
            for axis in axes:
                total = total * self.size(source, axis)
            return (total,)
        start = node.attributes["start"].as_int() if "start" in node.attributes else 0
        end = node.attributes["end"].as_int() if "end" in node.attributes else len(axes)
        return tuple(self.size(source, axis) for axis in axes[start:end])

    def size(self, source: ir.Value, axis: int) -> Dimension:
        """The size of an axis, as a number or over variables of the code."""
        assert source.shape is not None
        size = of_shape(source.shape[axis])
        named = () if size is None else size.symbols
        if (
            size is not None
            and not (named and self.nested)
            and all(name in self._symbols or name in self._variables for name in named)
        ):
            return size
        return self.variable(self._bind(source, axis, _hint(source, axis)))

    def entries(self, value: ir.Value | None) -> list[ast.expr] | None:
        """The entries of a vector (or the one of a scalar) as expressions; None where it is a tensor like others."""
        known = self.known(value)
        return None if known is None else [self.expression(each) for each in known]

    def known(self, value: ir.Value | None) -> Known | None:
        """The same as dimension expressions."""
        if value is None or value in self._known:
            return None if value is None else self._known[value]
        array = constant(value, LONGEST)
        if array is None or array.ndim > 1 or array.dtype.kind not in "iu":
            return None
        return tuple(dimension(int(number)) for number in array.reshape(-1))

    def holds(self, value: ir.Value) -> bool:
        """Whether the value exists as numbers alone, for no statement computes it."""
        return value in self._known

    def expression(self, size: Dimension) -> ast.expr:
        """A dimension expression as code."""
        return parse(size.text(self._spell))

    def _spell(self, symbol: str) -> str:
        if symbol not in self._variables:
            source, axis = self._symbols[symbol]
            hint = _hint(source, axis) if _UNNAMED.fullmatch(symbol) or symbol == "N" else symbol
            self._variables[symbol] = self._bind(source, axis, hint)
        return self._variables[symbol]


def _hint(source: ir.Value, axis: int) -> str:
    """A name for an axis: batch, then what images and sequences call theirs."""
    names = _AXIS_NAMES.get(len(source.shape or ()), ("batch",))
    return names[axis] if axis < len(names) else f"size_{axis}"
