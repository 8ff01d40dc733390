"""Converted from mobilenet_v2 of torchvision."""

from pathlib import Path

from safetensors.torch import load_model
from torch import nn


class InvertedResidual(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv(x)


class InvertedResidual_2(nn.Module):
    """mobilenetv2.py, line 62."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(channels, 6 * channels, 1, bias=False),
                nn.BatchNorm2d(6 * channels),
                nn.Hardtanh(min_val=0.0, max_val=6.0),
            ),
            nn.Sequential(
                nn.Conv2d(
                    6 * channels, 6 * channels, 3, padding=1, groups=6 * channels, bias=False
                ),
                nn.BatchNorm2d(6 * channels),
                nn.Hardtanh(min_val=0.0, max_val=6.0),
            ),
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
            nn.Sequential(
                nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(32),
                nn.Hardtanh(min_val=0.0, max_val=6.0),
            ),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False),
                        nn.BatchNorm2d(32),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(32, 16, 1, bias=False),
                    nn.BatchNorm2d(16),
                )
            ),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(16, 96, 1, bias=False),
                        nn.BatchNorm2d(96),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(96, 96, 3, stride=2, padding=1, groups=96, bias=False),
                        nn.BatchNorm2d(96),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(96, 24, 1, bias=False),
                    nn.BatchNorm2d(24),
                )
            ),
            InvertedResidual_2(24),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(24, 144, 1, bias=False),
                        nn.BatchNorm2d(144),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(144, 144, 3, stride=2, padding=1, groups=144, bias=False),
                        nn.BatchNorm2d(144),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(144, 32, 1, bias=False),
                    nn.BatchNorm2d(32),
                )
            ),
            InvertedResidual_2(32),
            InvertedResidual_2(32),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(32, 192, 1, bias=False),
                        nn.BatchNorm2d(192),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(192, 192, 3, stride=2, padding=1, groups=192, bias=False),
                        nn.BatchNorm2d(192),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(192, 64, 1, bias=False),
                    nn.BatchNorm2d(64),
                )
            ),
            *(InvertedResidual_2(64) for _ in range(3)),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(64, 384, 1, bias=False),
                        nn.BatchNorm2d(384),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(384, 384, 3, padding=1, groups=384, bias=False),
                        nn.BatchNorm2d(384),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(384, 96, 1, bias=False),
                    nn.BatchNorm2d(96),
                )
            ),
            InvertedResidual_2(96),
            InvertedResidual_2(96),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(96, 576, 1, bias=False),
                        nn.BatchNorm2d(576),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(576, 576, 3, stride=2, padding=1, groups=576, bias=False),
                        nn.BatchNorm2d(576),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(576, 160, 1, bias=False),
                    nn.BatchNorm2d(160),
                )
            ),
            InvertedResidual_2(160),
            InvertedResidual_2(160),
            InvertedResidual(
                nn.Sequential(
                    nn.Sequential(
                        nn.Conv2d(160, 960, 1, bias=False),
                        nn.BatchNorm2d(960),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Sequential(
                        nn.Conv2d(960, 960, 3, padding=1, groups=960, bias=False),
                        nn.BatchNorm2d(960),
                        nn.Hardtanh(min_val=0.0, max_val=6.0),
                    ),
                    nn.Conv2d(960, 320, 1, bias=False),
                    nn.BatchNorm2d(320),
                )
            ),
            nn.Sequential(
                nn.Conv2d(320, 1280, 1, bias=False),
                nn.BatchNorm2d(1280),
                nn.Hardtanh(min_val=0.0, max_val=6.0),
            )
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x):
        x = self.features(x).mean(dim=(-1, -2), keepdim=True).flatten(1)
        return self.classifier(x)


def load(weights=Path(__file__).with_name("weights.safetensors")):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    load_model(model, weights)
    return model.eval()
