"""The class that every pass derives from."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.edit import forget_names
from interlingua.notes import Notes


class Pass(ir.passes.InPlacePass):
    """A pass that changes the model in place and takes notes of what it lost or changed."""

    def __init__(self, notes: Notes | None = None) -> None:
        super().__init__()
        self.notes = Notes() if notes is None else notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Runs `transform` and says whether it changed anything."""
        forget_names(model.graph)
        return ir.passes.PassResult(model, self.transform(model))

    def transform(self, model: ir.Model) -> bool:
        """Changes the model in place; returns whether it did."""
        raise TypeError(f"{type(self).__name__} does not define `transform`.")


def ensure(condition: bool, law: str) -> None:
    """Checks a postcondition of a pass.

    Raises:
        onnx_ir.passes.PostconditionError: it does not hold.
    """
    if not condition:
        raise ir.passes.PostconditionError(law)
