"""Removes what nothing uses."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.ir.opset import OPSET
from interlingua.passes.base import Pass, ensure


class RemoveUnused(Pass):
    """Removes nodes, initializers, functions and opset imports that no output depends on."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for kind in (common.RemoveUnusedNodesPass, common.RemoveUnusedFunctionsPass, common.RemoveUnusedOpsetsPass):
            changed = kind()(model).modified or changed
        model.graph.opset_imports.setdefault("", OPSET)
        for name in [name for name, value in model.graph.initializers.items() if _unused(value)]:
            model.graph.initializers.pop(name)
            changed = True
        return changed

    def ensures(self, model: ir.Model) -> None:
        """Every initializer is used."""
        ensure(not any(_unused(value) for value in model.graph.initializers.values()), "Every initializer is used.")


def _unused(value: ir.Value) -> bool:
    return not value.uses() and not value.is_graph_output() and not value.is_graph_input()
