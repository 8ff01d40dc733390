"""Normalizations and dropout."""

from interlingua.records import Input, attribute, constant, derived, record_of

RECORDS = (
    record_of(
        "BatchNormalization",
        "normalization by running statistics of each channel, then scale and shift",
        [
            Input("X", "N C *"),
            Input("scale", "C", learned=True),
            Input("B", "C", learned=True),
            Input("input_mean", "C", learned=True),
            Input("input_var", "C", learned=True),
        ],
        [
            derived("channels", "channels of X"),
            attribute("epsilon", 1e-5, "added to the variance"),
            attribute("momentum", 0.9, "weight of the old running statistics in training"),
            attribute("training_mode", 0, "normalize by the batch's own statistics"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["batch norm", "bn", "fused_batch_norm"],
    ),
    record_of(
        "LRN",
        "local response normalization across channels: x / (bias + alpha / size · Σx²)^beta",
        [Input("X", "N C *")],
        [
            attribute("size", meaning="channels summed"),
            attribute("alpha", 1e-4, "factor of the sum"),
            attribute("beta", 0.75, "exponent"),
            attribute("bias", 1.0, "added to the sum"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["local response norm"],
    ),
    record_of(
        "Dropout",
        "zeroes elements at random in training, scaling the others; nothing at inference",
        [Input("data")],
        [
            attribute("seed", None),
            constant("ratio", 0.5, "share that is dropped"),
            constant("training_mode", False, "whether it drops"),
        ],
        outputs=[Input("output")],
    ),
)
