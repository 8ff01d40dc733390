"""The zoo's architectures of timm 1.0."""

from __future__ import annotations

from zoo_rows import Architecture, images, made

SIZES = {
    "resnest14d": 96,
    "hrnet_w18_small": 96,
    "mixer_s32_224": 224,
    "cait_xxs24_224": 224,
    "coatnet_nano_rw_224": 224,
    "levit_128s": 224,
    "mobilevit_xxs": 128,
    "nfnet_l0": 96,
    "xcit_nano_12_p16_224": 112,
    "poolformer_s12": 96,
    "eva02_tiny_patch14_224": 224,
    "ghostnet_100": 96,
}

ROWS = tuple(
    Architecture(name, "timm", made("timm", "create_model", model_name=name, pretrained=False), images(size))
    for name, size in SIZES.items()
)
