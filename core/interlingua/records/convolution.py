"""Convolutions of one to three spatial axes: plain, grouped, depthwise, dilated, transposed and deformable."""

from interlingua.records import Input, attribute, derived, record_of

_AUTO_PAD = attribute("auto_pad", "NOTSET", "SAME_UPPER or SAME_LOWER, only where sizes are not known")

RECORDS = (
    record_of(
        "Conv",
        "cross-correlation of the spatial axes with learned kernels",
        [Input("X", "N C *"), Input("W", "O I *", learned=True), Input("B", "O", learned=True, optional=True)],
        [
            derived("in_channels", "channels of X"),
            derived("out_channels", "channels of Y"),
            attribute("kernel_shape", meaning="size of the kernel"),
            attribute("strides", None, "step of the kernel", neutral=1),
            attribute("pads", None, "zeros before and after each spatial axis", neutral=0),
            attribute("dilations", None, "distance of the kernel's taps", neutral=1),
            attribute("group", 1, "groups of channels"),
            _AUTO_PAD,
            derived("has_bias", "whether B is given"),
            derived("depthwise", "whether each input channel is its own group"),
            derived("multiplier", "output channels of each group"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["convolution", "conv1d", "conv2d", "conv3d", "depthwise"],
    ),
    record_of(
        "ConvTranspose",
        "transposed convolution: the gradient of a convolution with respect to its input",
        [Input("X", "N C *"), Input("W", "I O *", learned=True), Input("B", "O", learned=True, optional=True)],
        [
            derived("in_channels", "channels of X"),
            derived("out_channels", "channels of Y"),
            attribute("kernel_shape", meaning="size of the kernel"),
            attribute("strides", None, "step of the output", neutral=1),
            attribute("pads", None, "what is cut off the output's edges", neutral=0),
            attribute("output_padding", None, "what is added at the output's end", neutral=0),
            attribute("dilations", None, "distance of the kernel's taps", neutral=1),
            attribute("group", 1, "groups of channels"),
            _AUTO_PAD,
            attribute("output_shape", None, "the spatial sizes of the output, only where those of X are not known"),
            derived("has_bias", "whether B is given"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["deconvolution", "conv_transpose", "transposed convolution"],
    ),
    record_of(
        "DeformConv",
        "convolution whose taps are moved by offsets that the model computes, and weighed by a mask",
        [
            Input("X", "N C *"),
            Input("W", "O I *", learned=True),
            Input("offset", "N C *"),
            Input("B", "O", learned=True, optional=True),
            Input("mask", "N C *", optional=True),
        ],
        [
            attribute("kernel_shape", meaning="size of the kernel"),
            attribute("strides", None, "step of the kernel", neutral=1),
            attribute("pads", None, "zeros before and after each spatial axis", neutral=0),
            attribute("dilations", None, "distance of the kernel's taps", neutral=1),
            attribute("group", 1, "groups of channels"),
            attribute("offset_group", 1, "groups of channels that share offsets"),
        ],
        outputs=[Input("Y", "N C *")],
        synonyms=["deformable convolution", "deform_conv2d", "dcn"],
    ),
)
