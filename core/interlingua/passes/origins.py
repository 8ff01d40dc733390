"""Tells each initializer which source parameter it is."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir

from interlingua.ir import metadata, parameters
from interlingua.passes.base import Pass, ensure


class RecordOrigins(Pass):
    """Gives every initializer that says nothing of its origin its own name as a source parameter."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        silent = [
            (value, graph)
            for graph in model.graphs()
            for value in graph.initializers.values()
            if metadata.ORIGIN not in value.metadata_props
        ]
        for value, graph in silent:
            metadata.set_origin(value, _parameter(value.name or "", graph.initializers))
        parameters.remember(model.graph)
        return bool(silent)

    def ensures(self, model: ir.Model) -> None:
        """Every initializer knows its origin."""
        values = [value for graph in model.graphs() for value in graph.initializers.values()]
        ensure(all(metadata.ORIGIN in value.metadata_props for value in values), "Every initializer knows its origin.")


def _parameter(name: str, names: Container[str]) -> str:
    """The parameter's name: the bias that folding a batch normalization gave to `conv.weight` is `conv.bias`.

    onnxscript's optimizer, which PyTorch's exporter runs, calls it `conv.weight_bias`.
    """
    weight = name.removesuffix("_bias")
    module, dot, last = weight.rpartition(".")
    folded = weight != name and last == "weight" and weight in names and f"{module}{dot}bias" not in names
    return f"{module}{dot}bias" if folded else name
