"""The zoo's architectures of torchvision 0.28."""

from __future__ import annotations

from typing import Any

from zoo_rows import Architecture, Inputs, images, made


def row(name: str, inputs: Inputs, *, of: str = "torchvision.models", **arguments: Any) -> Architecture:
    """A classification or video model by its constructor's name."""
    lines = {"resnet50": 200, "vit_b_16": 200, "swin_t": 400}.get(name)
    return Architecture(name, "torchvision", made(of, name, weights=None, **arguments), inputs, lines=lines)


def segmentation(name: str, **arguments: Any) -> Architecture:
    """A segmentation model; its output is a dictionary."""
    build = made("torchvision.models.segmentation", name, weights=None, weights_backbone=None, **arguments)
    return Architecture(name, "torchvision", build, images(96, 128))


ROWS = (
    row("alexnet", images(96)),
    row("vgg11", images(64)),
    row("resnet50", images(224)),
    row("resnext50_32x4d", images(96)),
    row("wide_resnet50_2", images(64)),
    row("densenet121", images(64)),
    row("googlenet", images(96), init_weights=False),
    row("inception_v3", images(299), init_weights=False),
    row("mobilenet_v2", images(96)),
    row("mobilenet_v3_large", images(96)),
    row("mnasnet0_5", images(96)),
    row("shufflenet_v2_x1_0", images(96)),
    row("squeezenet1_1", images(96)),
    row("efficientnet_b0", images(96)),
    row("efficientnet_v2_s", images(96)),
    row("convnext_tiny", images(96)),
    row("regnet_y_400mf", images(96)),
    row("vit_b_16", images(224)),
    row("swin_t", images(224)),
    row("swin_v2_t", images(256)),
    row("maxvit_t", images(224)),
    segmentation("deeplabv3_resnet50", num_classes=5),
    segmentation("fcn_resnet50", num_classes=5),
    segmentation("lraspp_mobilenet_v3_large", num_classes=5),
    row("r3d_18", images(8, 48, 48), of="torchvision.models.video"),
    Architecture(
        "raft_small",
        "torchvision",
        made("zoo_wrappers", "raft_small"),
        images(128, 136, count=2),
        small="two updates of the flow instead of twelve",
    ),
)
