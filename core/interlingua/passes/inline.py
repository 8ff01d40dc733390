"""Inlines functions."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua import extensions
from interlingua.errors import UnsupportedModel
from interlingua.ir.opset import version_of
from interlingua.passes.base import Pass, ensure


class InlineFunctions(Pass):
    """Replaces each call of a model's function by the function's body; its nodes keep the opset of the function."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        if not model.functions:
            return False
        main = version_of(model.opset_imports)
        for function in model.functions.values():
            version = version_of(function.opset_imports)
            for node in function.all_nodes():
                if node.domain in ("", "ai.onnx") and version is not None and node.version is None:
                    node.version = version
            if version is not None and main is not None:
                function.opset_imports.pop("ai.onnx", None)
                function.opset_imports[""] = main
        try:
            common.InlinePass()(model)
        except ValueError as error:
            raise UnsupportedModel(f"Expected functions that can be inlined. Received others: {error}") from error
        model.functions.clear()
        return True

    def ensures(self, model: ir.Model) -> None:
        """No function is left."""
        ensure(not model.functions, "No function is left.")


class AttachFunctions(Pass):
    """Gives the model the function bodies that extensions hold for operators in it, which stay calls."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        given = {(function.domain, function.name): function for function in extensions.functions()}
        wanted = [(node.domain, node.op_type) for node in model.graph.all_nodes()] if given else []
        found = False
        while wanted:
            key = wanted.pop()
            function = given.pop(key, None)
            if function is None:
                continue
            body: ir.Function = ir.from_proto(function)
            model.functions[body.identifier()] = body
            model.opset_imports.setdefault(function.domain, 1)
            wanted += [(node.domain, node.op_type) for node in body.all_nodes()]
            found = True
        return found
