"""Pooling over windows and over whole spatial axes."""

from interlingua.records import Input, attribute, record_of

_WINDOW = [
    attribute("kernel_shape", meaning="size of the window"),
    attribute("strides", None, "step of the window", neutral=1),
    attribute("pads", None, "padding before and after each spatial axis", neutral=0),
    attribute("ceil_mode", 0, "round the output's size up"),
]

RECORDS = (
    record_of(
        "MaxPool",
        "maximum over windows; padding counts as minus infinity",
        [Input("X", "N C *")],
        [
            *_WINDOW,
            attribute("dilations", None, "distance of the window's taps", neutral=1),
            attribute("storage_order", 0),
        ],
        outputs=[Input("Y", "N C *")],
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
)
