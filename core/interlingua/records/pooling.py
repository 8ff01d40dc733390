"""Pooling over windows and over whole spatial axes."""

from interlingua.records import Input, attribute, constant, record_of

_WINDOW = [
    attribute("kernel_shape", meaning="size of the window"),
    attribute("strides", None, "step of the window", neutral=1),
    attribute("pads", None, "padding before and after each spatial axis", neutral=0),
    attribute("ceil_mode", 0, "round the output's size up"),
    attribute("auto_pad", "NOTSET", "SAME_UPPER or SAME_LOWER, only where sizes are not known"),
]

RECORDS = (
    record_of(
        "MaxPool",
        "maximum over windows; padding counts as minus infinity",
        [Input("X", "N C *")],
        [
            *_WINDOW,
            attribute("dilations", None, "distance of the window's taps", neutral=1),
            attribute("storage_order", 0, "whether the indices count columns first"),
        ],
        outputs=[Input("Y", "N C *"), Input("Indices", "N C *", optional=True)],
        synonyms=["max pooling", "pool2d", "Pooling"],
    ),
    record_of(
        "AveragePool",
        "mean over windows",
        [Input("X", "N C *")],
        [
            *_WINDOW,
            attribute("count_include_pad", 0, "whether padding counts in the divisor"),
            attribute("dilations", None, "distance of the window's taps", neutral=1),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["average pooling", "mean pooling", "avg_pool", "pool2d", "Pooling"],
    ),
    record_of(
        "GlobalAveragePool",
        "mean over all spatial axes, which stay with size 1",
        [Input("X", "N C *")],
        outputs=[Input("Y", "N C *")],
        synonyms=["global pooling", "adaptive average pooling"],
    ),
    record_of(
        "LpPool",
        "p-norm of windows: (Σ|x|^p)^(1/p)",
        [Input("X", "N C *")],
        [
            *_WINDOW,
            attribute("dilations", None, "distance of the window's taps", neutral=1),
            attribute("p", 2, "exponent"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["power average pooling", "lp pooling"],
    ),
    record_of(
        "GlobalMaxPool",
        "maximum over all spatial axes, which stay with size 1",
        [Input("X", "N C *")],
        outputs=[Input("Y", "N C *")],
        synonyms=["adaptive max pooling"],
    ),
    record_of(
        "GlobalLpPool",
        "p-norm of all spatial axes, which stay with size 1",
        [Input("X", "N C *")],
        [attribute("p", 2, "exponent")],
        outputs=[Input("Y", "N C *")],
    ),
    record_of(
        "MaxUnpool",
        "puts each element where the maximum stood that it was taken from; zeros elsewhere",
        [Input("X", "N C *"), Input("I", "N C *")],
        [
            attribute("kernel_shape", meaning="size of the window"),
            attribute("strides", None, "step of the window", neutral=1),
            attribute("pads", None, "padding before and after each spatial axis", neutral=0),
            constant("output_shape", None, "the whole shape of the output"),
        ],
        outputs=[Input("output", "N C *")],
        synonyms=["unpooling"],
    ),
)
