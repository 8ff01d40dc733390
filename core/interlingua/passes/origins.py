"""Tells each initializer which source parameter it is."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata, parameters
from interlingua.passes.base import Pass, ensure


class RecordOrigins(Pass):
    """Gives every initializer that says nothing of its origin its own name as a source parameter."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        silent = [
            value
            for graph in model.graphs()
            for value in graph.initializers.values()
            if metadata.ORIGIN not in value.metadata_props
        ]
        for value in silent:
            metadata.set_origin(value, value.name or "")
        parameters.remember(model.graph)
        return bool(silent)

    def ensures(self, model: ir.Model) -> None:
        """Every initializer knows its origin."""
        values = [value for graph in model.graphs() for value in graph.initializers.values()]
        ensure(all(metadata.ORIGIN in value.metadata_props for value in values), "Every initializer knows its origin.")
