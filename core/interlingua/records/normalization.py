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
        outputs=[
            Input("Y", "N C *"),
            Input("running_mean", "C", optional=True),
            Input("running_var", "C", optional=True),
        ],
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
        outputs=[Input("output"), Input("mask", optional=True)],
    ),
    record_of(
        "InstanceNormalization",
        "normalization of each channel of each sample, then scale and shift",
        [Input("input", "N C *"), Input("scale", "C", learned=True), Input("B", "C", learned=True)],
        [derived("channels", "channels of the input"), attribute("epsilon", 1e-5, "added to the variance")],
        outputs=[Input("output", "N C *")],
        synonyms=["instance norm"],
    ),
    record_of(
        "LayerNormalization",
        "normalization over the last axes, then scale and shift",
        [Input("X"), Input("Scale", "", learned=True), Input("B", "", learned=True, optional=True)],
        [
            derived("normalized_shape", "sizes of the axes that are normalized over"),
            attribute("axis", -1, "first axis that is normalized over"),
            attribute("epsilon", 1e-5, "added to the variance"),
            attribute("stash_type", 1, "element type that statistics are computed in"),
            derived("has_bias", "whether B is given"),
        ],
        outputs=[Input("Y"), Input("Mean", optional=True), Input("InvStdDev", optional=True)],
        synonyms=["layer norm", "ln"],
    ),
    record_of(
        "GroupNormalization",
        "normalization of groups of channels of each sample, then scale and shift of each channel",
        [Input("X", "N C *"), Input("scale", "C", learned=True), Input("bias", "C", learned=True)],
        [
            attribute("num_groups", meaning="groups of channels"),
            derived("channels", "channels of X"),
            attribute("epsilon", 1e-5, "added to the variance"),
            attribute("stash_type", 1, "element type that statistics are computed in"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["group norm", "gn"],
    ),
    record_of(
        "RMSNormalization",
        "division by the root of the mean square over the last axes, then scale",
        [Input("X"), Input("scale", "", learned=True)],
        [
            derived("normalized_shape", "sizes of the axes that are normalized over"),
            attribute("axis", -1, "first axis that is normalized over"),
            attribute("epsilon", 1e-5, "added to the mean square"),
            attribute("stash_type", 1, "element type that the mean square is computed in"),
        ],
        synonyms=["rms norm", "root mean square"],
    ),
    record_of(
        "LpNormalization",
        "division by the p-norm along an axis",
        [Input("input")],
        [attribute("axis", -1, "the axis whose norm becomes one"), attribute("p", 2, "exponent: 1 or 2")],
        outputs=[Input("output")],
        synonyms=["l2 normalization", "normalize"],
    ),
    record_of(
        "MeanVarianceNormalization",
        "(x − mean) / standard deviation, over axes",
        [Input("X")],
        [attribute("axes", (0, 2, 3), "the axes that are normalized over")],
        synonyms=["mvn"],
    ),
)
