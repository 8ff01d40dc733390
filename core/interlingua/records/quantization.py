"""Quantized tensors: to whole numbers and back, and products of them."""

from interlingua.records import Input, attribute, record_of

_AXIS = attribute("axis", 1, "the axis that has scales of its own")
_BLOCK = attribute("block_size", 0, "elements along the axis that share a scale")


def _optional(name: str) -> Input:
    return Input(name, optional=True)


_WINDOW = [
    attribute("kernel_shape", meaning="size of the kernel"),
    attribute("strides", None, "step of the kernel", neutral=1),
    attribute("pads", None, "zero points before and after each spatial axis", neutral=0),
    attribute("dilations", None, "distance of the kernel's taps", neutral=1),
    attribute("group", 1, "groups of channels"),
]

RECORDS = (
    record_of(
        "QuantizeLinear",
        "x / y_scale rounded, plus y_zero_point, held within the range of the type",
        [Input("x"), Input("y_scale"), _optional("y_zero_point")],
        [
            _AXIS,
            _BLOCK,
            attribute("output_dtype", 0, "the element type, where no zero point tells it"),
            attribute("precision", 0, "the element type of the division"),
            attribute("saturate", 1, "what is too large for a float of 8 bits becomes the largest"),
        ],
        outputs=[Input("y")],
        synonyms=["quantize"],
    ),
    record_of(
        "DequantizeLinear",
        "(x − x_zero_point) · x_scale",
        [Input("x"), Input("x_scale"), _optional("x_zero_point")],
        [_AXIS, _BLOCK, attribute("output_dtype", 0, "the element type; the scale's where unsaid")],
        outputs=[Input("y")],
        synonyms=["dequantize"],
    ),
    record_of(
        "DynamicQuantizeLinear",
        "x as whole numbers of 8 bits, with the scale and zero point of its own range",
        [Input("x")],
        outputs=[Input("y"), Input("y_scale"), Input("y_zero_point")],
    ),
    record_of(
        "MatMulInteger",
        "matrix product of whole numbers less their zero points",
        [Input("A"), Input("B"), _optional("a_zero_point"), _optional("b_zero_point")],
    ),
    record_of(
        "QLinearMatMul",
        "matrix product of quantized tensors, quantized",
        [
            *(Input(f"{name}{part}") for name in "ab" for part in ("", "_scale", "_zero_point")),
            Input("y_scale"),
            Input("y_zero_point"),
        ],
        outputs=[Input("y")],
    ),
    record_of(
        "ConvInteger",
        "convolution of whole numbers less their zero points",
        [Input("x"), Input("w"), _optional("x_zero_point"), _optional("w_zero_point")],
        _WINDOW,
        outputs=[Input("y")],
    ),
    record_of(
        "QLinearConv",
        "convolution of quantized tensors, quantized",
        [
            *(Input(f"{name}{part}") for name in "xw" for part in ("", "_scale", "_zero_point")),
            Input("y_scale"),
            Input("y_zero_point"),
            _optional("B"),
        ],
        _WINDOW,
        outputs=[Input("y")],
    ),
)
