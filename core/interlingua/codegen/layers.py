"""The layers of a program, found again by what they hold."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping

import onnx_ir as ir

from interlingua.codegen.dialect import Dialect
from interlingua.codegen.program import Layer
from interlingua.codegen.weights import Weight
from interlingua.errors import UnknownType


class Layers:
    """What is known of the layers in `made`, which it adds to: which one another equals, and which are called again."""

    def __init__(self, made: list[Layer], dialect: Dialect) -> None:
        self._made = made
        self._dialect = dialect
        self._known: dict[Hashable, Layer] = {}
        self._called_again: set[str] = set()

    def like(self, layer: Layer) -> Layer | None:
        """Another layer of all these weights, or of the same module: the source calls it more than once."""
        if not self._dialect.reuses_layers or not (layer.weights or self._dialect.structured):
            return None
        again = self._known.get(_key(layer))
        if again is not None:
            self._called_again.add(again.attribute)
        return again

    def add(self, layer: Layer) -> None:
        """Adds a layer that is like no other."""
        self._made.append(layer)
        self._known.setdefault(_key(layer), layer)

    def element_type(self, weights: Mapping[str, Weight]) -> ir.DataType | None:
        """The type of a layer's weights, where it is not float32 and the dialect has an argument for it.

        Raises:
            UnknownType: they are of several.
        """
        types = {each.tensor.dtype for each in weights.values() if each.tensor.dtype.is_floating_point()}
        if not self._dialect.layer_dtype or types <= {ir.DataType.FLOAT}:
            return None
        if len(types) > 1:
            raise UnknownType("a layer whose weights are of several types")
        return types.pop()

    def is_called_again(self, layer: Layer) -> bool:
        """Whether another call was found to be the layer's."""
        return layer.attribute in self._called_again

    def exchange_last(self, whole: Layer) -> Layer:
        """Puts `whole` in place of the layer added last; an earlier layer that is like `whole` takes its calls over."""
        last = self._made.pop()
        if self._known.get(_key(last)) is last:
            del self._known[_key(last)]
        again = self.like(whole)
        if again is None:
            self.add(whole)
        return again or whole


def _key(layer: Layer) -> Hashable:
    own = () if layer.weights else (layer.source,)
    return (ast.dump(layer.call), frozenset(layer.weights.items()), own)
