"""Brings the model to the pinned opset."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.opset import OPSET, upgrade
from interlingua.passes.base import Pass, ensure


class UpgradeOpset(Pass):
    """Rewrites operators of older opsets, and restamps unchanged ones of newer, so that the model is of opset 26."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        return upgrade(model, self.notes)

    def ensures(self, model: ir.Model) -> None:
        """The model states the pinned opset."""
        ensure(model.opset_imports.get("") == OPSET, f"The model states opset {OPSET}.")
