"""The zoo's architectures of timm 1.0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
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
    "res2net50_14w_8s": 64,
    "repvgg_a0": 64,
    "crossvit_tiny_240": 240,
}


class Forgetful(dict[str, Any]):
    """A cache in which nothing is found."""

    def __contains__(self, key: object) -> bool:
        return False


def _build(name: str) -> Callable[[], nn.Module]:
    """A builder of a model that computes its attention biases from the parameters each time.

    LeViT keeps them from its first call in evaluation on: an exported program would have constants in their place.
    """
    build = made("timm", "create_model", model_name=name, pretrained=False)

    def built() -> nn.Module:
        model = build()
        for module in model.modules():
            if hasattr(module, "attention_bias_cache"):
                module.attention_bias_cache = Forgetful()
        return model

    return built


ROWS = tuple(Architecture(name, "timm", _build(name), images(size)) for name, size in SIZES.items())
