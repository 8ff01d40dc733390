"""What of a model draws random numbers: two runs of it never agree, whoever computes them."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.records import records


def draws(model: ir.Model) -> list[str]:
    """The operators that draw random numbers, with their places; a Dropout only where it is always on."""
    return [f"{node.op_type} at {metadata.place(node)}" for node in model.graph.all_nodes() if _draws(node)]


def _draws(node: ir.Node) -> bool:
    known = records().get(node.op_type)
    if known is None or "seed" not in known.parameters:
        return False
    if node.op_type != "Dropout":
        return True
    training = constant(node.inputs[2], 1) if len(node.inputs) > 2 else None
    return training is not None and bool(training.reshape(-1)[0])
