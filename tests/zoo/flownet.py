"""The FlowNet family (Ilg et al. 2017) in plain PyTorch: SD, S, C, Fusion, and FlowNet2, which stacks them.

The three operations that were CUDA kernels (correlation, warp, channel norm) are written with PyTorch's own.
Parameter names and counts are those of the published models (no batch norm).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

LEVELS = (5, 4, 3, 2)
SKIPS = {5: 512, 4: 512, 3: 256, 2: 128}
WIDTHS = {5: 512, 4: 256, 3: 128, 2: 64}
SLOPE = 0.1
DIVISOR = 20.0


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (over `stride`), and a leaky ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))


def plain_conv(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution alone; the container keeps the published names."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1))


def deconv(inputs: int, outputs: int) -> nn.Sequential:
    """A transposed convolution that doubles the size, and a leaky ReLU."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(SLOPE, inplace=True))


def predict(inputs: int) -> nn.Conv2d:
    """The flow that a level predicts."""
    return nn.Conv2d(inputs, 2, 3, padding=1)


def upsample(bias: bool = True) -> nn.ConvTranspose2d:
    """A flow at twice the size."""
    return nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=bias)


def correlation(first: torch.Tensor, second: torch.Tensor, reach: int = 20, step: int = 2) -> torch.Tensor:
    """The mean over channels of `first` times `second` displaced: (N, C, H, W) twice to (N, displacements, H, W)."""
    height, width = first.shape[2], first.shape[3]
    padded = F.pad(second, (reach, reach, reach, reach))
    offsets = range(0, 2 * reach + 1, step)
    maps = [(first * padded[:, :, y : y + height, x : x + width]).mean(1) for y in offsets for x in offsets]
    return torch.stack(maps, 1)


def warp(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`image` sampled bilinearly at (x + flow x, y + flow y); indices stop at the border, fractions do not."""
    batch, channels, height, width = image.shape
    columns = torch.arange(width, dtype=flow.dtype) + flow[:, 0]
    rows = torch.arange(height, dtype=flow.dtype)[:, None] + flow[:, 1]
    left, top = columns.floor(), rows.floor()
    across, down = (columns - left)[:, None], (rows - top)[:, None]
    flat = image.flatten(2)

    def at(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        index = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
        index = index.flatten(1)[:, None].expand(batch, channels, height * width)
        return flat.gather(2, index).unflatten(2, (height, width))

    upper = (1 - across) * at(top, left) + across * at(top, left + 1)
    lower = (1 - across) * at(top + 1, left) + across * at(top + 1, left + 1)
    return (1 - down) * upper + down * lower


def channel_norm(image: torch.Tensor) -> torch.Tensor:
    """The Euclidean norm over channels, kept as one channel."""
    return image.square().sum(1, keepdim=True).sqrt()


class Decoder(nn.Module):
    """The half that all but Fusion share: flows from 1/64 to 1/4, each level fed by the one below."""

    def decoder(self, *, inner: bool, bias: bool) -> None:
        """Adds the layers; `inner` is whether a convolution stands before each prediction (SD)."""
        below = 1024
        self.predict_flow6 = predict(below)
        for level in LEVELS:
            width = WIDTHS[level]
            setattr(self, f"upsampled_flow{level + 1}_to_{level}", upsample(bias))
            setattr(self, f"deconv{level}", deconv(below, width))
            below = SKIPS[level] + width + 2
            if inner:
                setattr(self, f"inter_conv{level}", plain_conv(below, width))
            setattr(self, f"predict_flow{level}", predict(width if inner else below))

    def decode(self, encoded: dict[int, torch.Tensor]) -> torch.Tensor:
        """The flow at 1/4 from the encoder's maps by level."""
        below = encoded[6]
        flow = self.predict_flow6(below)
        for level in LEVELS:
            up = getattr(self, f"upsampled_flow{level + 1}_to_{level}")(flow)
            below = torch.cat((encoded[level], getattr(self, f"deconv{level}")(below), up), 1)
            inner = getattr(self, f"inter_conv{level}", None)
            flow = getattr(self, f"predict_flow{level}")(below if inner is None else inner(below))
        return flow


class FlowNetSD(Decoder):
    """For small displacements: 3×3 convolutions throughout. (N, 6, H, W) to (N, 2, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = conv(6, 64)
        widths = {1: (64, 64, 128), 2: (128, 128, 128), 3: (128, 256, 256), 4: (256, 512, 512)}
        widths |= {5: (512, 512, 512), 6: (512, 1024, 1024)}
        for level, (inputs, middle, outputs) in widths.items():
            setattr(self, f"conv{level}", conv(inputs, middle, stride=2))
            setattr(self, f"conv{level}_1", conv(middle, outputs))
        self.decoder(inner=True, bias=True)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = self.conv0(frames)
        encoded = {}
        for level in range(1, 7):
            x = getattr(self, f"conv{level}_1")(getattr(self, f"conv{level}")(x))
            encoded[level] = x
        return self.decode(encoded)


class _Contracting(Decoder):
    """The upper half of the encoders of S and C."""

    def contract(self) -> None:
        """Adds the layers from 1/16 on."""
        for level, inputs, width in ((4, 256, 512), (5, 512, 512), (6, 512, 1024)):
            setattr(self, f"conv{level}", conv(inputs, width, stride=2))
            setattr(self, f"conv{level}_1", conv(width, width))

    def encode(self, x: torch.Tensor, encoded: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        """The maps from 1/8 on, beside the finer ones given."""
        x = self.conv3_1(x)
        encoded = {**encoded, 3: x}
        for level in (4, 5, 6):
            x = getattr(self, f"conv{level}_1")(getattr(self, f"conv{level}")(x))
            encoded[level] = x
        return encoded


class FlowNetS(_Contracting):
    """The simple one. (N, channels, H, W) to (N, 2, H/4, W/4)."""

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.conv1 = conv(channels, 64, 7, 2)
        self.conv2 = conv(64, 128, 5, 2)
        self.conv3 = conv(128, 256, 5, 2)
        self.conv3_1 = conv(256, 256)
        self.contract()
        self.decoder(inner=False, bias=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        second = self.conv2(self.conv1(frames))
        return self.decode(self.encode(self.conv3(second), {2: second}))


class FlowNetC(_Contracting):
    """With correlation of two siamese streams. (N, 6, H, W) to (N, 2, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = conv(3, 64, 7, 2)
        self.conv2 = conv(64, 128, 5, 2)
        self.conv3 = conv(128, 256, 5, 2)
        self.conv_redir = conv(256, 32, 1)
        self.conv3_1 = conv(473, 256)
        self.contract()
        self.decoder(inner=False, bias=True)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        second = self.conv2(self.conv1(frames[:, :3]))
        first_map = self.conv3(second)
        second_map = self.conv3(self.conv2(self.conv1(frames[:, 3:])))
        matches = F.leaky_relu(correlation(first_map, second_map), SLOPE)
        joined = torch.cat((self.conv_redir(first_map), matches), 1)
        return self.decode(self.encode(joined, {2: second}))


class FlowNetFusion(nn.Module):
    """Fuses the flows of two networks. (N, 11, H, W) to (N, 2, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = conv(11, 64)
        self.conv1 = conv(64, 64, stride=2)
        self.conv1_1 = conv(64, 128)
        self.conv2 = conv(128, 128, stride=2)
        self.conv2_1 = conv(128, 128)
        self.deconv1 = deconv(128, 32)
        self.deconv0 = deconv(162, 16)
        self.inter_conv1 = plain_conv(162, 32)
        self.inter_conv0 = plain_conv(82, 16)
        self.predict_flow2 = predict(128)
        self.predict_flow1 = predict(32)
        self.predict_flow0 = predict(16)
        self.upsampled_flow2_to_1 = upsample()
        self.upsampled_flow1_to_0 = upsample()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole = self.conv0(x)
        half = self.conv1_1(self.conv1(whole))
        quarter = self.conv2_1(self.conv2(half))
        flow = self.predict_flow2(quarter)
        below = torch.cat((half, self.deconv1(quarter), self.upsampled_flow2_to_1(flow)), 1)
        flow = self.predict_flow1(self.inter_conv1(below))
        below = torch.cat((whole, self.deconv0(below), self.upsampled_flow1_to_0(flow)), 1)
        return self.predict_flow0(self.inter_conv0(below))


class FlowNet2(nn.Module):
    """C, S and S refine each other, SD sees small motion, Fusion joins. (N, 3, 2, H, W) to (N, 2, H, W)."""

    def __init__(self, greatest: float = 255.0) -> None:
        super().__init__()
        self.greatest = greatest
        self.flownetc = FlowNetC()
        self.flownets_1 = FlowNetS()
        self.flownets_2 = FlowNetS()
        self.flownets_d = FlowNetSD()
        self.flownetfusion = FlowNetFusion()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        mean = frames.flatten(2).mean(2)[:, :, None, None, None]
        scaled = (frames - mean) / self.greatest
        first, second = scaled[:, :, 0], scaled[:, :, 1]
        pair = torch.cat((first, second), 1)
        flow = self.finer(self.flownetc(pair) * DIVISOR, "bilinear")
        flow = self.finer(self.flownets_1(self.seen(pair, first, second, flow)) * DIVISOR, "bilinear")
        large = self.finer(self.flownets_2(self.seen(pair, first, second, flow)) * DIVISOR, "nearest")
        small = self.finer(self.flownets_d(pair) / DIVISOR, "nearest")
        errors = [channel_norm(first - warp(second, flow)) for flow in (small, large)]
        return self.flownetfusion(
            torch.cat((first, small, large, channel_norm(small), channel_norm(large), *errors), 1)
        )

    def finer(self, flow: torch.Tensor, mode: str) -> torch.Tensor:
        """The flow at four times the size."""
        return F.interpolate(flow, scale_factor=4.0, mode=mode)

    def seen(self, pair: torch.Tensor, first: torch.Tensor, second: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
        """The frames, the second one warped by the flow, the flow, and what is still wrong."""
        moved = warp(second, flow)
        return torch.cat((pair, moved, flow / DIVISOR, channel_norm(first - moved)), 1)
