"""Declares ONNX: its formats, its runtime (onnxruntime) and its backend."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

ONNX = Framework(
    name="onnx",
    title="ONNX",
    runtimes=(
        Runtime(
            name="onnx",
            title="onnxruntime",
            script="interlingua/onnx/runtime.py",
            python=">=3.11",
            requirements=("onnx>=1.21", "onnxruntime>=1.24", "numpy>=1.26"),
            imports=("onnxruntime", "onnx"),
        ),
    ),
    formats=(
        Format(
            name="onnx",
            title="ONNX model (.onnx, or its text form)",
            recognise="interlingua.onnx.recognise:recognise",
            reader="interlingua.onnx.reader:read",
            runtime="onnx",
            inspector="interlingua.onnx.inspector:inspect",
        ),
    ),
    backend=Backend(
        writer="interlingua.onnx.backend:write", natives=("onnx",), runtime="onnx", options=("opset", "external_data")
    ),
    cards="interlingua.onnx.cards",
)


@hookimpl
def frameworks() -> Sequence[Framework]:
    """ONNX."""
    return (ONNX,)


@hookimpl
def extensions() -> Sequence[str]:
    """The operators of our own domain."""
    return ("interlingua.own_operators",)
