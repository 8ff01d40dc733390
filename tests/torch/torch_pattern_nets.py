"""The networks that users fail with, small: each as its author would write it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


def perturbed(module: nn.Module, seed: int = 5) -> nn.Module:
    """The module in inference mode with every parameter and buffer moved: fresh weights prove nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator).to(tensor.dtype)
                tensor.mul_(1 + 0.2 * noise).add_(0.1 * noise)
    return module.eval()


class Encoder(nn.Module):
    """A layer of self-attention over the tokens of an image, positions added to queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.first = nn.LayerNorm(width)
        self.second = nn.LayerNorm(width)
        self.grow = nn.Linear(width, 2 * width)
        self.shrink = nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        query = x + place
        x = self.first(x + self.attention(query, query, x, need_weights=False)[0])
        return self.second(x + self.shrink(F.relu(self.grow(x))))


class SetPrediction(nn.Module):
    """Sine positions by the sizes of the image, queries chosen by top-k of a score, classes and boxes of each."""

    def __init__(self, width: int = 16, queries: int = 5, classes: int = 3) -> None:
        super().__init__()
        self.width, self.queries = width, queries
        self.backbone = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.encoder = Encoder(width, 4)
        self.score = nn.Linear(width, 1)
        self.cross = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.classes = nn.Linear(width, classes)
        self.boxes = nn.Linear(width, 4)

    def positions(self, mask: torch.Tensor) -> torch.Tensor:
        """The sine positions of each place that the mask leaves open, `N HW C`."""
        rows, columns = mask.cumsum(1, dtype=torch.float32), mask.cumsum(2, dtype=torch.float32)
        rows = rows / (rows[:, -1:, :] + 1e-6) * 2 * math.pi
        columns = columns / (columns[:, :, -1:] + 1e-6) * 2 * math.pi
        half = self.width // 2
        steps = torch.arange(half, dtype=torch.float32, device=mask.device)
        steps = 10000 ** (2 * torch.div(steps, 2, rounding_mode="floor") / half)
        parts = []
        for axis in (rows, columns):
            angle = axis[:, :, :, None] / steps
            parts.append(torch.stack((angle[..., 0::2].sin(), angle[..., 1::2].cos()), dim=4).flatten(3))
        return torch.cat(parts, dim=3).flatten(1, 2)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.backbone(images)
        place = self.positions(torch.ones(x.shape[0], *x.shape[2:], dtype=torch.bool, device=x.device))
        memory = self.encoder(x.flatten(2).transpose(1, 2), place)
        best = torch.topk(self.score(memory).squeeze(-1), self.queries, dim=1).indices
        queries = torch.gather(memory, 1, best.unsqueeze(-1).expand(-1, -1, self.width))
        queries = self.norm(queries + self.cross(queries, memory + place, memory, need_weights=False)[0])
        return {"classes": self.classes(queries), "boxes": self.boxes(queries).sigmoid()}


class MaskedCrossAttention(nn.Module):
    """Queries of one sequence on another, whose padding is masked."""

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, width, padding_idx=0)
        self.cross = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys = self.embed(ids)
        mixed, weights = self.cross(queries, keys, keys, key_padding_mask=ids == 0)
        return self.norm(queries + mixed), weights


class Lines(nn.Module):
    """Convolution, BiLSTM and GRU over the width of an image: what reads lines of text."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8)
        )
        self.lstm = nn.LSTM(8, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(10, 6)
        self.head = nn.Linear(6, classes)

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        x = F.adaptive_avg_pool2d(self.features(lines).relu(), (1, None)).squeeze(2)
        x, _ = self.lstm(x.permute(0, 2, 1))
        x, _ = self.gru(x.permute(1, 0, 2))
        return F.log_softmax(self.head(x), dim=2)


class Fourier(nn.Module):
    """A convolution in the spectrum: real transform, convolution of real and imaginary parts, and back."""

    def __init__(self, channels: int = 4, norm: str = "ortho") -> None:
        super().__init__()
        self.norm = norm
        self.before = nn.Conv2d(3, channels, 3, padding=1)
        self.spectrum = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)
        self.after = nn.Conv2d(channels, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        batch, channels, height, width = x.shape
        parts = torch.view_as_real(torch.fft.rfft2(x, norm=self.norm))
        parts = parts.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, height, width // 2 + 1)
        parts = F.relu(self.bn(self.spectrum(parts)))
        parts = parts.reshape(batch, channels, 2, height, width // 2 + 1).permute(0, 1, 3, 4, 2).contiguous()
        turned = torch.fft.irfft2(torch.view_as_complex(parts), s=(height, width), norm=self.norm)
        return self.after(x + turned)


class Upward(nn.Module):
    """A transposed convolution with everything that one can say, after an asymmetric padding."""

    def __init__(
        self,
        groups: int = 2,
        stride: int = 2,
        output_padding: int = 1,
        dilation: int = 1,
        pads: tuple[int, ...] = (1, 0, 2, 1),
    ) -> None:
        super().__init__()
        self.pads = pads
        self.up = nn.ConvTranspose2d(
            4, 6, 3, stride=stride, padding=(1, 0), output_padding=output_padding, groups=groups, dilation=dilation
        )
        self.conv = nn.Conv2d(6, 4, (3, 2), groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(F.pad(x, self.pads))
        return self.conv(F.pad(x, (0, 1, 1, 0), mode="reflect"))


class Shuffled(nn.Module):
    """Pixels into channels and back."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.down = nn.PixelUnshuffle(factor)
        self.conv = nn.Conv2d(2 * factor**2, 3 * factor**2, 1)
        self.up = nn.PixelShuffle(factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.conv(self.down(x)).relu())


class Resized(nn.Module):
    """A resize by a factor, and one to the size of the input."""

    def __init__(self, mode: str = "bicubic", corners: bool = False, factor: float = 2.0) -> None:
        super().__init__()
        self.mode, self.corners, self.factor = mode, corners, factor
        self.conv = nn.Conv2d(2, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.interpolate(self.conv(x), scale_factor=self.factor, mode=self.mode, align_corners=self.corners)
        return F.interpolate(y.tanh(), size=x.shape[2:], mode=self.mode, align_corners=self.corners)


class Settling(nn.Module):
    """A loop and a decision on data, with a layer of the outer module inside."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)
        self.gain = nn.Parameter(torch.tensor(1.3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = torch.zeros((), dtype=torch.int64)
        while bool(x.abs().mean() < 3.0) and bool(count < 20):
            if bool(x.sum() > 0):
                x = x * self.gain + self.step(x).tanh()
                count = count + 1
            else:
                x, count = self.gain - x, count + 2
        return x, count


class Sampled(nn.Module):
    """`F.grid_sample` between convolutions; the grid comes from the picture."""

    def __init__(self, mode: str = "bilinear", padding: str = "zeros", corners: bool = False) -> None:
        super().__init__()
        self.mode, self.padding, self.corners = mode, padding, corners
        self.flow = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = 1.3 * self.flow(x).tanh().permute(0, 2, 3, 1)
        return F.grid_sample(x, grid, self.mode, self.padding, self.corners)


class UnrolledSample(Sampled):
    """Bilinear sampling written out with gather, as those write it whose exporter had no `grid_sample`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = 1.3 * self.flow(x).tanh().permute(0, 2, 3, 1)
        height, width = x.shape[2:]
        across = self.place(grid[..., 0], width)
        down = self.place(grid[..., 1], height)
        left, top = across.floor(), down.floor()
        right_share, bottom_share = across - left, down - top
        total = torch.zeros_like(x)
        for column, across_share in ((left, 1 - right_share), (left + 1, right_share)):
            for row, down_share in ((top, 1 - bottom_share), (top + 1, bottom_share)):
                inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
                index = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
                index = index.flatten(1).unsqueeze(1).expand(-1, x.shape[1], -1)
                values = x.flatten(2).gather(2, index).unflatten(2, grid.shape[1:3])
                total = total + values * (across_share * down_share * inside).unsqueeze(1)
        return total

    def place(self, coordinate: torch.Tensor, size: int) -> torch.Tensor:
        """Coordinates from -1 to 1 as places among `size` pixels, moved inside as the padding says."""
        place = (coordinate + 1) / 2 * (size - 1) if self.corners else ((coordinate + 1) * size - 1) / 2
        if self.padding == "border":
            return place.clamp(0, size - 1)
        if self.padding == "reflection":
            low, span = (0.0, size - 1.0) if self.corners else (-0.5, float(size))
            distance = (place - low).abs()
            extra, flips = distance.fmod(span), (distance / span).floor()
            place = torch.where(flips % 2 == 0, extra + low, span - extra + low)
            return place.clamp(0, size - 1)
        return place


class ChannelShuffle(nn.Module):
    """Groups of channels exchanged by reshapes, and by the operator."""

    def __init__(self, groups: int = 2) -> None:
        super().__init__()
        self.groups = groups
        self.first = nn.Conv2d(4, 8, 1, groups=groups)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.shuffle = nn.ChannelShuffle(groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        batch, channels, height, width = x.shape
        x = x.view(batch, self.groups, channels // self.groups, height, width).transpose(1, 2).contiguous()
        return self.shuffle(self.second(x.view(batch, channels, height, width)))


class Windows(nn.Module):
    """Attention inside shifted windows, with a bias by relative position."""

    def __init__(self, width: int = 8, heads: int = 2, window: int = 2) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.packed = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads))
        places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        between = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("index", between[..., 0] * (2 * window - 1) + between[..., 1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, height, width, channels = x.shape
        size = self.window
        x = torch.roll(x, (-1, -1), (1, 2))
        x = x.view(batch, height // size, size, width // size, size, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, size * size, channels)
        parts = self.packed(x).reshape(-1, size * size, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        scores = query @ key.transpose(-2, -1) * (channels // self.heads) ** -0.5
        bias = self.table[self.index.flatten()].view(size * size, size * size, -1).permute(2, 0, 1)
        x = (scores + bias).softmax(-1) @ value
        x = self.joined(x.transpose(1, 2).reshape(-1, size * size, channels))
        x = x.view(batch, height // size, width // size, size, size, channels).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(x.reshape(batch, height, width, channels), (1, 1), (1, 2))


def suppressed(boxes: torch.Tensor, scores: torch.Tensor, limit: float) -> torch.Tensor:
    """Indices of the boxes that non-maximum suppression keeps, best first: written with what PyTorch has."""
    order = scores.argsort(descending=True)
    boxes = boxes[order]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    low, high = torch.max(boxes[:, None, :2], boxes[:, :2]), torch.min(boxes[:, None, 2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    overlaps = (shared / (area[:, None] + area - shared) > limit).triu(1)
    kept = torch.ones_like(area, dtype=torch.bool)
    for i in range(boxes.shape[0]):
        kept = kept & ~(overlaps[i] & kept[i])
    return order[kept.nonzero().squeeze(1)]


class Detector(nn.Module):
    """Boxes above a threshold, less those that a better one covers: as many as the picture has."""

    def __init__(self, limit: float = 0.3) -> None:
        super().__init__()
        self.limit = limit
        self.boxes = nn.Conv2d(3, 4, 4, stride=4)
        self.scores = nn.Conv2d(3, 1, 4, stride=4)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        corners = self.boxes(image).sigmoid().flatten(2)[0].t()
        boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 0.1], dim=1)
        scores = self.scores(image).sigmoid().flatten()
        kept = suppressed(boxes, scores, self.limit)
        chosen = kept[scores[kept] > 0.4]
        return boxes[chosen], scores[chosen]


class Unordered(nn.Module):
    """Three inputs whose order is not that of the alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self.zeta = nn.Linear(4, 4)

    def forward(self, zebra: torch.Tensor, apple: torch.Tensor, mango: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.zeta(zebra) - apple * 2, mango / (apple.abs() + 1), zebra


class Untracked(nn.Module):
    """Batch normalization without running statistics: those of the batch, always."""

    def __init__(self, affine: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3, affine=affine, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)).relu()


class Cubes(nn.Module):
    """Every axis of every value the same size: an order lost shows in no shape."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(size, size, 3, padding=1)
        self.dense = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.dense(self.conv(x).permute(2, 0, 3, 1)))
        z = torch.einsum("abcd,dbca->cadb", y, x)
        return torch.softmax(z.transpose(1, 3) @ y.permute(3, 2, 1, 0), dim=1) - x.flip(2)
