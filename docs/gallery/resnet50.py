"""Converted from resnet50 of torchvision."""

from pathlib import Path

import torch.nn.functional as F
from safetensors.torch import load_model
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Bottleneck(nn.Module):
    """resnet.py, lines 146 to 161."""

    def __init__(self, in_channels, channels, stride=1, downsample=False):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False, stride=stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(in_channels, 4 * channels, 1, bias=False, stride=stride),
                nn.BatchNorm2d(4 * channels),
            )
            if downsample
            else None
        )

    def forward(self, x):
        out = self.conv1(x)
        out = F.relu(self.bn1(out), inplace=True)
        out = self.conv2(out)
        out = F.relu(self.bn2(out), inplace=True)
        out = self.conv3(out)
        out = self.bn3(out)
        x = x if self.downsample is None else self.downsample(x)
        return F.relu(out + x, inplace=True)


class Model(nn.Module):
    """resnet.py, line 285."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64, downsample=True), Bottleneck(256, 64), Bottleneck(256, 64)
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, stride=2, downsample=True),
            *(Bottleneck(512, 128) for _ in range(3)),
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, stride=2, downsample=True),
            *(Bottleneck(1024, 256) for _ in range(5)),
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, stride=2, downsample=True),
            Bottleneck(2048, 512),
            Bottleneck(2048, 512),
        )
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(self.bn1(x), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x).mean(dim=(-1, -2), keepdim=True).flatten(1)
        return self.fc(x)


def load(weights=WEIGHTS):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    load_model(model, weights)
    return model.eval()
