"""The network being written: layers in order, the blob that holds each value, the weights of each layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua import cards
from interlingua.cards import Card, Facts
from interlingua.codegen.lowering import weight_for
from interlingua.codegen.package import Mapped
from interlingua.codegen.weights import Weight
from interlingua.errors import PluginError, Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import inputs_of, is_constant
from interlingua.notes import Notes
from interlingua_caffe.arguments import set_arguments, slot_index
from interlingua_caffe.proto import Message, message

FRAMEWORK = "caffe"
IN_PLACE = frozenset({"BatchNorm", "Bias", "Dropout", "ELU", "PReLU", "ReLU", "Scale", "Sigmoid", "TanH"})
"""The layers that people write with one blob as bottom and top."""


@dataclasses.dataclass(frozen=True)
class Learned:
    """A blob to be written: the weight, or numbers of the format's own (BatchNorm's running weight).

    `zeros` are added before and after each axis.
    """

    weight: Weight | NDArray[np.float32]
    zeros: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        shape = tuple(self.weight.shape)
        return tuple(a + sum(b) for a, b in zip(shape, self.zeros, strict=True)) if self.zeros else shape

    def array(self) -> NDArray[np.float32]:
        """Its numbers, read only now."""
        array = self.weight.array() if isinstance(self.weight, Weight) else self.weight
        array = np.pad(array, self.zeros) if self.zeros else array
        return np.ascontiguousarray(array, dtype="<f4")


class Network:
    """A `NetParameter` that grows. `learned` holds the blobs by layer name, `layers` the source layer of each layer."""

    def __init__(self, name: str, notes: Notes) -> None:
        self.notes = notes
        self.message: Message = message("NetParameter")
        self.message.name = name
        self.learned: dict[str, list[Learned]] = {}
        self.layers: dict[str, str] = {}
        self.mapped: list[Mapped] = []
        self._tops: dict[ir.Value, str] = {}
        self._blobs: set[str] = set()

    def top(self, value: ir.Value | None) -> str:
        """The blob that holds a value.

        Raises:
            Unsupported: it is a constant, and a layer can take it only as a weight.
        """
        if value is not None and value in self._tops:
            return self._tops[value]
        raise Unsupported(f"{value.name if value else 'an input'} is a constant, which no layer takes as a blob")

    def alias(self, value: ir.Value, same: ir.Value) -> None:
        """Lets a value be held by the blob of another one, which it equals."""
        self._tops[value] = self.top(same)

    def refuse(self, node: ir.Node) -> None:
        """Goes on after a node that cannot be said, so that all others are told too."""
        self._tops |= dict.fromkeys(node.outputs, "")

    def _free(self, stem: str, kind: str) -> str:
        name, number = stem or kind, 1
        if name in self.layers:
            stem = name = f"{stem}/{kind.lower()}"
        while name in self.layers:
            number += 1
            name = f"{stem}_{number}"
        return name

    def layer(
        self,
        source: str,
        kind: str,
        bottoms: Sequence[str],
        outputs: Sequence[ir.Value],
        said: Mapping[str, Any] | None = None,
        learned: Sequence[Learned] = (),
        *,
        in_place: bool = False,
    ) -> Message:
        """Adds a layer under the source layer's name; its top has that name too, or is its bottom where in place."""
        name = self._free(source, kind)
        written = message("LayerParameter")
        written.name, written.type = name, kind
        written.bottom.extend(bottoms)
        set_arguments(written, said or {})
        for index, output in enumerate(outputs):
            top = bottoms[0] if in_place else self._blob(name if len(outputs) == 1 else f"{name}_{index}")
            written.top.append(top)
            self._tops[output] = top
        self.message.layer.add().CopyFrom(written)
        self.layers[name] = source or name
        self.learned[name] = list(learned)
        return self.message.layer[-1]

    def _blob(self, stem: str) -> str:
        name, number = stem, 1
        while name in self._blobs:
            number += 1
            name = f"{stem}_{number}"
        self._blobs.add(name)
        return name

    def rename_top(self, value: ir.Value, name: str) -> None:
        """Gives an input its own name as blob."""
        self._tops[value] = name

    def for_node(
        self,
        node: ir.Node,
        kind: str,
        said: Mapping[str, Any],
        learned: Sequence[Learned] = (),
        *,
        inputs: Sequence[ir.Value | None] | None = None,
        output: ir.Value | None = None,
    ) -> ir.Value:
        """Adds a layer that computes a node's output, or `output`, a step on the way to it; that value is returned."""
        given = [value for value in (node.inputs if inputs is None else inputs) if value is not None]
        bottoms = [self.top(value) for value in given]
        target = node.outputs[0] if output is None else output
        place = metadata.place(node).layer
        over = kind in IN_PLACE and self._dies(given, node)
        self.layer(place, kind, bottoms, [target], said, learned, in_place=over)
        arguments = ", ".join(f"{name}={value}" for name, value in said.items())
        self.mapped.append(Mapped(str(metadata.place(node)), node.op_type, kind, arguments))
        return target

    def _dies(self, given: Sequence[ir.Value], node: ir.Node) -> bool:
        """Whether nothing but this node reads what it takes, so that its blob may be overwritten."""
        if len(given) != 1:
            return False
        blob = self._tops[given[0]]
        return not any(self._is_wanted(value, node) for value, top in self._tops.items() if top == blob)

    def _is_wanted(self, value: ir.Value, node: ir.Node) -> bool:
        """Whether a value is an input or output of the network, or another node is still to read it."""
        if value.is_graph_input() or value.is_graph_output():
            return True
        pending = (use.node for use in value.uses() if use.node is not node)
        return any(not all(output in self._tops for output in other.outputs) for other in pending)

    def by_card(self, node: ir.Node, facts: Facts) -> None:
        """Adds the layer that the first fitting card gives for the node.

        Raises:
            Unsupported: no card can say it.
        """
        card, said = cards.choose(FRAMEWORK, facts)
        given = inputs_of(node)
        bottoms: list[ir.Value] = []
        fields: dict[str, Any] = {}
        for name, slot in card.inputs.items():
            if slot_index(slot.name)[0]:
                bottoms.extend(given.get(name, []))
            else:
                fields[slot.name] = scalar(given[name][0])
        learned = [
            Learned(weight_for(card, facts, name, slot, given[name][0]))
            for name, slot in sorted(card.weights.items(), key=lambda item: item[1].name)
            if name in given
        ]
        self.for_node(node, card.api, selecting(card) | said | fields, learned, inputs=bottoms)


def selecting(card: Card) -> dict[str, Any]:
    """The words that select a card of its layer (`pool: MAX`): people write them though they are defaults."""
    words = (".pool", ".operation")
    return {name: f.value for name, f in card.fixed.items() if isinstance(f.value, str) and name.endswith(words)}


def scalar(value: ir.Value) -> float:
    """The number that a constant of one element holds.

    Raises:
        Unsupported: it is computed, or has more elements.
    """
    if not is_constant(value) or value.const_value is None or value.const_value.size != 1:
        raise Unsupported(f"{value.name} is not one constant number")
    return float(str(np.float32(value.const_value.numpy().reshape(-1)[0])))


Lowering = Callable[[Network, ir.Node, Facts], None]
LOWERINGS: dict[str, Lowering] = {}


def lowers(*ops: str) -> Callable[[Lowering], Lowering]:
    """Registers a function that writes these ops; its docstring's first sentence is the remark that tables show.

    Raises:
        PluginError: an op has one already.
    """

    def keep(function: Lowering) -> Lowering:
        for op in ops:
            if op in LOWERINGS:
                raise PluginError(
                    f"Expected one lowering for {op}. Received {LOWERINGS[op].__name__} and {function.__name__}."
                )
            LOWERINGS[op] = function
        return function

    return keep
