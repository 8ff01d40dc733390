"""Converted from mobilenet_v2 of torchvision."""

from pathlib import Path

from safetensors.torch import load_model
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Conv2dNormActivation(nn.Sequential):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, groups=1):
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                bias=False,
                groups=groups,
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            Conv2dNormActivation(32, 32, 3, groups=32),
            nn.Conv2d(32, 16, 1, bias=False),
            nn.BatchNorm2d(16),
        )

    def forward(self, x):
        return self.conv(x)


class InvertedResidual_2(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv = nn.Sequential(
            Conv2dNormActivation(in_channels, 6 * in_channels, 1),
            Conv2dNormActivation(
                6 * in_channels, 6 * in_channels, 3, stride=stride, groups=6 * in_channels
            ),
            nn.Conv2d(6 * in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        return self.conv(x)


class InvertedResidual_3(nn.Module):
    """mobilenetv2.py, line 62."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(
            Conv2dNormActivation(channels, 6 * channels, 1),
            Conv2dNormActivation(6 * channels, 6 * channels, 3, groups=6 * channels),
            nn.Conv2d(6 * channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return x + self.conv(x)


class Model(nn.Module):
    """mobilenetv2.py, line 174."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            Conv2dNormActivation(3, 32, 3, stride=2),
            InvertedResidual(),
            InvertedResidual_2(16, 24, 2),
            InvertedResidual_3(24),
            InvertedResidual_2(24, 32, 2),
            InvertedResidual_3(32),
            InvertedResidual_3(32),
            InvertedResidual_2(32, 64, 2),
            *(InvertedResidual_3(64) for _ in range(3)),
            InvertedResidual_2(64, 96, 1),
            InvertedResidual_3(96),
            InvertedResidual_3(96),
            InvertedResidual_2(96, 160, 2),
            InvertedResidual_3(160),
            InvertedResidual_3(160),
            InvertedResidual_2(160, 320, 1),
            Conv2dNormActivation(320, 1280, 1),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        x = self.features(x).mean(dim=(-1, -2), keepdim=True).flatten(1)
        return self.classifier(x)


def load(weights=WEIGHTS):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    load_model(model, weights)
    return model.eval()
