"""Infers shapes and types."""

from __future__ import annotations

import logging

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.passes.base import Pass

logging.getLogger("onnx_ir.passes.common.shape_inference").setLevel(logging.ERROR)


class InferShapes(Pass):
    """Gives every value the shape and type that follow from the inputs, as far as they do."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        return common.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model).modified
