"""What ONNX's own checker says of a model."""

from __future__ import annotations

import logging

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common


def invalidity(model: ir.Model) -> str:
    """Why the model is not valid ONNX, of whatever opset it is; empty where it is, or where the checker cannot tell."""
    logger = logging.getLogger("onnx_ir.passes.common.onnx_checker")
    level, logger.level = logger.level, logging.CRITICAL
    try:
        common.CheckerPass(full_check=True)(model)
    except Exception as error:  # onnx_ir wraps what the checker throws
        causes = (error, error.__cause__, error.__context__)
        known = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
        said = next((each for each in causes if isinstance(each, known)), None)
        return "" if said is None else " ".join(str(said).split())[:300]
    finally:
        logger.level = level
    return ""
