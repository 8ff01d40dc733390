"""The zoo's architectures that no library brings: the FlowNet family, and a fully convolutional ResNet-18."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from zoo_rows import Architecture, images, made


class FullyConvolutional(nn.Module):
    """A ResNet-18 whose classifier slides over an image of any size: (N, 3, H, W) to (N, 1000, rows, columns)."""

    def __init__(self, whole: nn.Module | None = None) -> None:
        super().__init__()
        from torchvision.models import resnet18

        whole = whole or resnet18(weights=None)
        self.features = nn.Sequential(*list(whole.children())[:-2])
        self.pool = nn.AvgPool2d(7)
        self.last_conv = nn.Conv2d(512, 1000, 1)
        with torch.no_grad():
            self.last_conv.weight.copy_(whole.fc.weight[:, :, None, None])
            self.last_conv.bias.copy_(whole.fc.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last_conv(self.pool(self.features(x)))
        return result


def _clip(batch: int) -> tuple[Any, ...]:
    return (255.0 * torch.rand(batch, 3, 2, 64, 128, generator=torch.Generator().manual_seed(7)),)


ROWS = (
    Architecture("flownet_sd", "own", made("flownet", "FlowNetSD"), images(64, 128, channels=6)),
    Architecture("flownet_s", "own", made("flownet", "FlowNetS"), images(64, 128, channels=12)),
    Architecture("flownet_c", "own", made("flownet", "FlowNetC"), images(64, 128, channels=6)),
    Architecture("flownet_fusion", "own", made("flownet", "FlowNetFusion"), images(64, 128, channels=11)),
    Architecture("flownet2", "own", made("flownet", "FlowNet2"), _clip),
    Architecture("fcn_resnet18", "own", FullyConvolutional, images(725, 1920)),
)
