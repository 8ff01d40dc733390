"""Fourier transforms, windows and filter banks."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api, by_helper, said, tensors

_WINDOWS = {
    "HannWindow": ("torch.hann_window", {}),
    "HammingWindow": ("torch.hamming_window", {"periodic": True, "alpha": 25 / 46, "beta": 21 / 46}),
    "BlackmanWindow": ("torch.blackman_window", {}),
}
_REAL, _COMPLEX = "torch.view_as_real", "torch.view_as_complex"


def number(context: Context, node: ir.Node, name: str) -> Any:
    """A scalar parameter as Python's number, also where it comes as a vector of one; None where it is absent."""
    value = next(iter(inputs_of(node).get(name, ())), None)
    if value is None:
        return context.given(node, name)
    if value.dtype is not None and value.dtype.is_floating_point():
        said_number = context.python(value)
        return said_number.elts[0] if isinstance(said_number, ast.List) else said_number
    return context.integers(value)[0]


@lowers("DFT")
def fourier(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.fft.fft` and its kin, with complex numbers made of the last axis and parted again."""
    shape = facts.shapes.get("input")
    length, axis = number(context, node, "dft_length"), facts.get("axis")
    inverse, onesided = bool(facts["inverse"]), bool(facts["onesided"])
    (x,) = tensors(context, node, "input")
    parts = None if shape is None else shape[-1]
    if axis is None or "axis" in facts.computed or parts not in (1, 2):
        dim = number(context, node, "axis")
        keywords = said(length=(length, None), dim=(dim, None), inverse=(inverse, False), onesided=(onesided, False))
        return by_helper(context, node, "fourier", [x], keywords)
    assert x is not None and shape is not None
    axis = axis + 1 if axis < 0 else axis
    keywords = said(n=(length, None), dim=(axis if axis != len(shape) - 2 else -1, -1))
    if onesided and inverse:
        if parts != 2:
            raise Unsupported("the inverse of half a spectrum without imaginary parts")
        half = expressions.call(context.api(_COMPLEX), [expressions.method(x, "contiguous")])
        call = by_api(context, node, "torch.fft.irfft", [half], keywords)
        return expressions.method(call, "unsqueeze", [-1])
    if parts == 1 or onesided:
        index = ast.Tuple([ast.Constant(...), ast.Constant(0)], ast.Load())
        signal: ast.expr = ast.Subscript(x, index, ast.Load())
    else:
        signal = expressions.call(context.api(_COMPLEX), [expressions.method(x, "contiguous")])
    api = "torch.fft.rfft" if onesided else "torch.fft.ifft" if inverse else "torch.fft.fft"
    return expressions.call(context.api(_REAL), [by_api(context, node, api, [signal], keywords)])


@lowers("STFT")
def short_time(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper over `unfold` and `torch.fft`, whose axes stand as ONNX has them."""
    signal, window = tensors(context, node, "signal", "window")
    if window is None and "frame_length" not in inputs_of(node):
        raise Unsupported("neither a window nor the length of a frame")
    length = None if window is not None else number(context, node, "frame_length")
    keywords = said(window=(window, None), length=(length, None), onesided=(bool(facts["onesided"]), True))
    return by_helper(context, node, "short_time_fourier", [signal, number(context, node, "frame_step")], keywords)


@lowers("HannWindow", "HammingWindow", "BlackmanWindow")
def window(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.hann_window(size)` and its kin."""
    api, more = _WINDOWS[node.op_type]
    dtype = ir.DataType(facts["output_datatype"])
    plain = dtype == ir.DataType.FLOAT
    floating = {} if plain or not dtype.is_floating_point() else {"dtype": context.dtype(dtype)}
    keywords = more | said(periodic=(bool(facts["periodic"]), True)) | floating
    call = by_api(context, node, api, [number(context, node, "size")], keywords)
    return call if dtype.is_floating_point() else expressions.method(call, "to", [context.dtype(dtype)])


@lowers("MelWeightMatrix")
def mel(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper: torch itself has no filter banks."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    dtype = ir.DataType(facts["output_datatype"])
    keywords = {} if dtype == ir.DataType.FLOAT else {"dtype": context.dtype(dtype)}
    return by_helper(context, node, "mel_weights", [number(context, node, name) for name in names], keywords)
