"""The types of few digits that a model computes in, whatever its outputs are."""

from __future__ import annotations

import ml_dtypes
import onnx_ir as ir

from interlingua.ir.alone import captures


def coarsest(model: ir.Model) -> dict[str, str]:
    """For each output that is computed from numbers of fewer digits than its own, their type (`float16`).

    A model that was made float16 and keeps its inputs and outputs in float32 agrees no better than float16 does.
    Weights are not computed: one that is stored in few digits is the same number for all.
    """
    types: dict[ir.Value, ir.DataType] = {}
    for node in model.graph:
        read = [types.get(value) for value in (*node.inputs, *captures(node)) if value is not None]
        for output in node.outputs:
            own = output.dtype if output.dtype is not None and output.dtype.is_floating_point() else None
            found = [dtype for dtype in (*read, own) if dtype is not None]
            if found:
                types[output] = max(found, key=_rounding)
    said: dict[str, str] = {}
    for number, value in enumerate(model.graph.outputs):
        dtype = types.get(value)
        if dtype is None or value.dtype is None or not value.dtype.is_floating_point():
            continue
        if _rounding(dtype) > _rounding(value.dtype):
            said[value.name or f"output {number}"] = str(dtype.numpy())
    return said


def _rounding(dtype: ir.DataType) -> float:
    return float(ml_dtypes.finfo(dtype.numpy()).eps)
