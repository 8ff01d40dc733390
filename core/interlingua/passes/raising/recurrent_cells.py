"""Reads cells of recurrent layers: one step of an LSTM, GRU or RNN, written in products, sums and activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import attribute_float, attribute_int, maker, near, sides, stated
from interlingua.passes.raising.recurrent_weights import View, slices_of, split_of, view_of

Plain = Callable[[ir.Value | None], ir.Value | None]
"""Looks through what only renames a value: Identity, and what a loop carries along unchanged."""


@dataclasses.dataclass(frozen=True)
class Product:
    """`source · weight`, the weight with the source's features first."""

    source: ir.Value
    weight: View


@dataclasses.dataclass(frozen=True)
class Bias:
    """What is added: a vector, or a number; `owner` is the source of the product that it was written with."""

    view: View | None
    number: float = 0.0
    owner: ir.Value | None = None


@dataclasses.dataclass
class Linear:
    """A sum of products with weights, of biases, and of linear terms that a gate is multiplied with."""

    size: int
    products: list[Product] = dataclasses.field(default_factory=list)
    biases: list[Bias] = dataclasses.field(default_factory=list)
    gated: list[tuple[ir.Value, Linear]] = dataclasses.field(default_factory=list)

    def part(self, start: int, stop: int) -> Linear | None:
        """Some of the features; None where a gate is among the terms."""
        if self.gated or not 0 <= start < stop <= self.size:
            return None
        products = [Product(each.source, each.weight.sliced(1, start, stop)) for each in self.products]
        biases = [
            each if each.view is None else dataclasses.replace(each, view=each.view.sliced(0, start, stop))
            for each in self.biases
        ]
        return Linear(stop - start, products, biases)


@dataclasses.dataclass
class Cell:
    """One step: its kind, the gates in ONNX's order, the states that it gives (and the memory that it takes).

    `reset` is the gate that the state is multiplied with before its product, the product's source otherwise; of a
    GRU alone.
    """

    kind: str
    gates: list[Linear]
    outputs: list[ir.Value]
    memory: ir.Value | None = None
    hidden: ir.Value | None = None
    activation: str = "Tanh"
    linear_before_reset: bool = False


class Cells:
    """Reads cells by their result."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self._read: dict[ir.Value, Linear | None] = {}

    def cell(self, result: ir.Value | None) -> Cell | None:
        """The cell whose new hidden state the value is."""
        node = maker(self.plain(result), "Mul", "Add", "Tanh", "Relu")
        if node is None:
            return None
        if node.op_type == "Mul":
            return self._lstm(node)
        return self._gru(node) if node.op_type == "Add" else self._rnn(node)

    def _rnn(self, node: ir.Node) -> Cell | None:
        """`Tanh(W·x + R·h + b)`, or Relu."""
        gate = self.linear(node.inputs[0])
        if gate is None or gate.gated:
            return None
        return Cell("RNN", [gate], [node.outputs[0]], activation=node.op_type)

    def _lstm(self, node: ir.Node) -> Cell | None:
        """`o · Tanh(f · c + i · g)`."""
        for out, inner in sides(node):
            output, squashed = self._gate(out), maker(self.plain(inner), "Tanh")
            memory = self.plain(squashed.inputs[0]) if squashed is not None else None
            summed = maker(memory, "Add")
            if output is None or summed is None or memory is None:
                continue
            for kept, new in sides(summed):
                first, second = maker(self.plain(kept), "Mul"), maker(self.plain(new), "Mul")
                found = self._memory(first, second)
                if found is not None:
                    forget, before, enter, fresh = found
                    gates = [enter, output, forget, fresh]
                    return Cell("LSTM", gates, [node.outputs[0], memory], memory=before)
        return None

    def _memory(self, kept: ir.Node | None, new: ir.Node | None) -> tuple[Linear, ir.Value, Linear, Linear] | None:
        """Gates and state of `f · c` and `i · Tanh(g)`."""
        if kept is None or new is None:
            return None
        for gate, candidate in sides(new):
            enter, fresh = self._gate(gate), self._gate(candidate, "Tanh")
            if enter is None or fresh is None:
                continue
            for forgotten, state in sides(kept):
                forget, before = self._gate(forgotten), self.plain(state)
                if forget is not None and before is not None:
                    return forget, before, enter, fresh
        return None

    def _gru(self, node: ir.Node) -> Cell | None:
        """`z · h + (1 − z) · n`, or `n + z · (h − n)`."""
        for first, second in sides(node):
            kept = maker(self.plain(first), "Mul")
            if kept is None:
                continue
            for update, state in sides(kept):
                gate, value = self._gate(update), self.plain(state)
                if gate is None or value is None:
                    continue
                hidden, fresh = self._mixed(value, second, self.plain(update))
                cell = None if fresh is None or hidden is None else self._candidate(fresh, hidden, gate)
                if cell is not None:
                    cell.outputs = [node.outputs[0]]
                    return cell
        return None

    def _mixed(
        self, value: ir.Value, other: ir.Value, update: ir.Value | None
    ) -> tuple[ir.Value | None, ir.Value | None]:
        """The state and the candidate of a new state `update · value + other`; None twice where it is none."""
        difference, other_plain = maker(value, "Sub"), self.plain(other)
        if difference is not None and self.plain(difference.inputs[1]) is other_plain:
            return self.plain(difference.inputs[0]), other_plain
        mixed = maker(other_plain, "Mul")
        for rest, fresh in sides(mixed) if mixed is not None else ():
            if update is not None and self._complement(rest) is update:
                return value, self.plain(fresh)
        return None, None

    def _complement(self, value: ir.Value) -> ir.Value | None:
        """What `1 − x`, or `−x + 1`, is the complement of."""
        node = maker(self.plain(value), "Sub", "Add")
        if node is None:
            return None
        if node.op_type == "Sub":
            return self.plain(node.inputs[1]) if near(stated(self.plain(node.inputs[0])), 1.0) else None
        for term, other in sides(node):
            turned = maker(self.plain(term), "Neg")
            if turned is not None and near(stated(self.plain(other)), 1.0):
                return self.plain(turned.inputs[0])
        return None

    def _candidate(self, value: ir.Value, hidden: ir.Value, update: Linear) -> Cell | None:
        """The cell of a candidate `Tanh(W·x + r · (R·h + b))`, or `Tanh(W·x + R·(r · h) + b)`."""
        fresh = self._gate(value, "Tanh")
        if fresh is None:
            return None
        if fresh.gated:
            if len(fresh.gated) > 1:
                return None
            reset = self._gate(fresh.gated[0][0])
            return None if reset is None else Cell("GRU", [update, reset, fresh], [], None, hidden, "Tanh", True)
        for position, product in enumerate(fresh.products):
            scaled = maker(product.source, "Mul")
            for gate, state in sides(scaled) if scaled is not None else ():
                reset = self._gate(gate)
                if reset is None or self.plain(state) is not hidden:
                    continue
                products = [*fresh.products]
                products[position] = Product(hidden, product.weight)
                return Cell("GRU", [update, reset, dataclasses.replace(fresh, products=products)], [], None, hidden)
        return None

    def _gate(self, value: ir.Value | None, activation: str = "Sigmoid") -> Linear | None:
        """What goes into an activation."""
        node = maker(self.plain(value), activation)
        return None if node is None else self.linear(node.inputs[0])

    def linear(self, value: ir.Value | None, depth: int = 12) -> Linear | None:
        """The value as a sum of products with constants, of biases and of gated terms; None where it is none."""
        value = self.plain(value)
        if value is not None and value not in self._read:
            self._read[value] = self._linear(value, depth)
        return None if value is None else self._read[value]

    def _linear(self, value: ir.Value, depth: int) -> Linear | None:
        node = maker(value, "Add", "Gemm", "MatMul", "Mul", "Slice", "Split")
        if node is None or depth == 0:
            return None
        if node.op_type == "Add":
            return self._sum(node, depth)
        if node.op_type in ("Gemm", "MatMul"):
            return self._product(node)
        if node.op_type == "Mul":
            return self._gated(node, depth)
        inner = self.linear(node.inputs[0], depth - 1)
        return None if inner is None else self._part(node, value, inner)

    def _part(self, node: ir.Node, value: ir.Value, inner: Linear) -> Linear | None:
        if node.op_type == "Split":
            axis = attribute_int(node, "axis", 0)
            bounds = split_of(node, value, inner.size) if axis in (1, -1) else None
            return None if bounds is None else inner.part(*bounds)
        everything = 2**31 - 1
        parts = slices_of(node, (everything, inner.size))
        if parts is None or any(axis == 0 and (start, stop) != (0, everything) for axis, start, stop in parts):
            return None
        found: Linear | None = inner
        for axis, start, stop in parts:
            if axis == 1 and found is not None:
                found = found.part(start, stop)
        return found

    def _sum(self, node: ir.Node, depth: int) -> Linear | None:
        terms = [self.linear(each, depth - 1) for each in node.inputs]
        size = next((term.size for term in terms if term is not None), None)
        if size is None:
            return None
        found = Linear(size)
        for term, each in zip(terms, node.inputs, strict=True):
            if term is None:
                bias = self._bias(each, size)
                if bias is None:
                    return None
                found.biases.append(bias)
            elif term.size != size:
                return None
            else:
                found.products += term.products
                found.biases += term.biases
                found.gated += term.gated
        return found

    def _bias(self, value: ir.Value | None, size: int, owner: ir.Value | None = None) -> Bias | None:
        number = stated(self.plain(value))
        if number is not None:
            return Bias(None, number, owner)
        view = view_of(value, self.plain)
        if view is None or view.shape not in ((size,), (1, size)):
            return None
        return Bias(view.reshaped(size), 0.0, owner)

    def _product(self, node: ir.Node) -> Linear | None:
        source, weight = self.plain(node.inputs[0]), view_of(node.inputs[1], self.plain)
        if source is None or weight is None or len(weight.shape) != 2:
            return None
        biases: list[Bias] = []
        if node.op_type == "Gemm":
            if attribute_int(node, "transA", 0) or attribute_float(node, "alpha", 1.0) != 1.0:
                return None
            weight = weight.transposed() if attribute_int(node, "transB", 0) else weight
            third = node.inputs[2] if len(node.inputs) > 2 else None
            if third is not None:
                bias = self._bias(third, weight.shape[1], source)
                if bias is None or attribute_float(node, "beta", 1.0) != 1.0:
                    return None
                biases.append(bias)
        products = self._apart(source, weight)
        return None if products is None else Linear(weight.shape[1], products, biases)

    def _apart(self, source: ir.Value, weight: View) -> list[Product] | None:
        """The product of joined features as one product each."""
        node = maker(source, "Concat")
        if node is None or attribute_int(node, "axis", 0) not in (1, -1):
            return [Product(source, weight)]
        sizes = [(shape_of(each) or (None,))[-1] for each in node.inputs]
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) < len(sizes) - 1:
            return None
        found, start = list[Product](), 0
        for each, size in zip(node.inputs, sizes, strict=True):
            value, stop = self.plain(each), start + (size if isinstance(size, int) else weight.shape[0] - sum(known))
            if value is None or not start < stop <= weight.shape[0]:
                return None
            found.append(Product(value, weight.sliced(0, start, stop)))
            start = stop
        return found if start == weight.shape[0] else None

    def _gated(self, node: ir.Node, depth: int) -> Linear | None:
        for gate, term in sides(node):
            if maker(self.plain(gate), "Sigmoid") is not None:
                inner = self.linear(term, depth - 1)
                if inner is not None and not inner.gated:
                    return Linear(inner.size, gated=[(gate, inner)])
        return None
