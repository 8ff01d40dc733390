"""Tells each initializer which source parameter it is."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir

from interlingua.ir import metadata, parameters
from interlingua.ir.origin import Call, Constant, Origin, Parameter
from interlingua.passes.base import Pass, ensure

_VARIABLE = "ReadVariableOp"
"""What tf2onnx calls the value of a variable by."""


class RecordOrigins(Pass):
    """Gives every initializer that says nothing of its origin its own name as a source parameter, or as a constant.

    One that our ONNX writer turned is a parameter of its first source, transposed: that is taken down in its own order,
    so that it comes out of a chain as it went in. Constants are single numbers that tf2onnx writes among the weights
    though the source's code states them; what PyTorch's exporter tells is known when a file is read.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        silent = [
            (value, graph)
            for graph in model.graphs()
            for value in graph.initializers.values()
            if metadata.ORIGIN not in value.metadata_props
        ]
        for value, graph in silent:
            name = value.name or ""
            number = _is_number(value, model.producer_name or "")
            said: Origin = Constant(name) if number else Parameter(_parameter(name, graph.initializers))
            metadata.set_origin(value, _turned(value, said))
        parameters.remember(model.graph)
        return bool(silent)

    def ensures(self, model: ir.Model) -> None:
        """Every initializer knows its origin."""
        values = [value for graph in model.graphs() for value in graph.initializers.values()]
        ensure(all(metadata.ORIGIN in value.metadata_props for value in values), "Every initializer knows its origin.")


def _turned(value: ir.Value, said: Origin) -> Origin:
    """What an initializer is that the file says to be transposed; the file's word is used up by it."""
    order = metadata.permutation(value)
    if order is None or value.const_value is None or len(order) != len(value.const_value.shape):
        return said
    metadata.set_permutation(value, range(len(order)))
    return Call("transpose", (said,), order) if isinstance(said, Parameter) else said


def _is_number(value: ir.Value, producer: str) -> bool:
    """Whether the source's code states the value, by how the exporter calls it."""
    tensor = value.const_value
    return producer == "tf2onnx" and tensor is not None and tensor.size == 1 and _VARIABLE not in (value.name or "")


def _parameter(name: str, names: Container[str]) -> str:
    """The parameter's name: the bias that folding a batch normalization gave to `conv.weight` is `conv.bias`.

    onnxscript's optimizer, which PyTorch's exporter runs, calls it `conv.weight_bias`.
    """
    weight = name.removesuffix("_bias")
    module, dot, last = weight.rpartition(".")
    folded = weight != name and last == "weight" and weight in names and f"{module}{dot}bias" not in names
    return f"{module}{dot}bias" if folded else name
