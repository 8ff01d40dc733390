"""What to convert of the networks that users fail with: at sizes of their own, or drawn from a seed."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch_pattern_nets as nets
from torch import nn

Example = tuple[torch.Tensor, ...]
Labels = Mapping[str, Mapping[int, str]]

BATCH: Mapping[int, str] = {0: "batch"}
PICTURE: Mapping[int, str] = {0: "batch", 2: "height", 3: "width"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A network with the example that it is exported by, others that it must hold for, and its dynamic axes."""

    module: nn.Module
    example: Example
    others: tuple[Example, ...] = ()
    dynamic: Labels = dataclasses.field(default_factory=dict)


class Draw(random.Random):
    """Sizes, options and tensors; what is drawn depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = torch.float32 if seed % 3 != 2 else torch.float64

    def tensor(self, *shape: int) -> torch.Tensor:
        """Normal numbers of the case's dtype."""
        return torch.randn(shape, generator=self.generator).to(self.dtype)

    def case(
        self, module: nn.Module, make: Callable[..., Example], sizes: list[tuple[int, ...]], dynamic: Labels
    ) -> Case:
        """The case whose example and others `make` gives for each row of sizes."""
        module = nets.perturbed(module.to(self.dtype), self.randrange(99))
        first, *others = [make(*row) for row in sizes]
        return Case(module, first, tuple(others), dynamic)

    def pictures(
        self, module: nn.Module, channels: int, name: str = "x", step: int = 1, least: int = 4, dynamic: Any = PICTURE
    ) -> Case:
        """A case of pictures: a batch of 2 first, then of 1 and of 3 at two other sizes (all divisible by `step`)."""
        drawn = [self.sample(range(least, least + 5), 2) for _ in range(3)]
        sizes = [(n, channels, *(step * size for size in pair)) for n, pair in zip((2, 1, 3), drawn, strict=True)]
        if 2 not in dynamic:
            sizes = [(n, *sizes[0][1:]) for n in (2, 1, 3)]
        return self.case(module, lambda *shape: (self.tensor(*shape),), sizes, {name: dynamic} if dynamic else {})


def set_prediction(draw: Draw) -> Case:
    """Queries by top-k of a score."""
    return draw.pictures(nets.SetPrediction(queries=draw.choice((3, 5))), 3, "images", step=2, least=5)


def cross_attention(draw: Draw) -> Case:
    """The mask hides at least one key in each row, and never all."""

    def make(batch: int, queries: int, keys: int) -> Example:
        ids = torch.tensor([[draw.randrange(1, 20) if i <= n % keys else 0 for i in range(keys)] for n in range(batch)])
        return draw.tensor(batch, queries, 8), ids

    labels = {"queries": {0: "batch", 1: "queries"}, "ids": {0: "batch", 1: "keys"}}
    return draw.case(nets.MaskedCrossAttention(), make, [(2, 3, 5), (1, 4, 3), (3, 2, 6)], labels)


def lines(draw: Draw) -> Case:
    """Lines of text of any width."""
    sizes = [(2, 20 + draw.randrange(6)), (1, 12 + draw.randrange(6)), (3, 28 + draw.randrange(6))]
    labels = {"lines": {0: "batch", 3: "width"}}
    return draw.case(nets.Lines(), lambda batch, width: (draw.tensor(batch, 1, 8, width),), sizes, labels)


def fourier(draw: Draw) -> Case:
    """Even widths: what irfft takes without being told."""
    return draw.pictures(nets.Fourier(norm=draw.choice(("ortho", "backward", "forward"))), 3, step=2, least=2)


def upward(draw: Draw) -> Case:
    """Strides, output paddings, groups and dilations that go together."""
    stride = draw.choice((2, 3))
    pads = tuple(draw.randrange(3) for _ in range(4))
    module = nets.Upward(draw.choice((1, 2)), stride, draw.randrange(1, stride), draw.choice((1, 2)), pads)
    return draw.pictures(module, 4)


def shuffled(draw: Draw) -> Case:
    """Pixels into channels and back."""
    factor = draw.choice((2, 3))
    return draw.pictures(nets.Shuffled(factor), 2, step=factor, least=2)


def resized(mode: str, corners: bool) -> Callable[[Draw], Case]:
    """A resize by a factor, and one to the size of the input."""
    return lambda draw: draw.pictures(nets.Resized(mode, corners, draw.choice((2.0, 1.5, 0.7))), 2)


def settling(script: bool) -> Callable[[Draw], Case]:
    """A loop and a decision on data, scripted or not."""

    def made(draw: Draw) -> Case:
        case = draw.case(
            nets.Settling(), lambda batch: (draw.tensor(batch, 4),), [(2,), (1,), (3,), (5,)], {"x": BATCH}
        )
        return dataclasses.replace(case, module=torch.jit.script(case.module)) if script else case

    return made


def sampled(kind: type[nets.Sampled], mode: str, padding: str, corners: bool) -> Callable[[Draw], Case]:
    """Sampling by a grid that leaves the picture."""
    return lambda draw: draw.pictures(kind(mode, padding, corners), 3)


def channel_shuffle(draw: Draw) -> Case:
    """Channels exchanged between groups."""
    return draw.pictures(nets.ChannelShuffle(draw.choice((2, 4))), 4, dynamic=BATCH)


def windows(draw: Draw) -> Case:
    """Windows of a picture whose sides are multiples of theirs."""
    size = draw.choice((2, 3))
    sizes = [(n, *(size * side for side in draw.sample(range(2, 6), 2))) for n in (2, 1, 3)]
    labels = {"x": {0: "batch", 1: "height", 2: "width"}}
    return draw.case(nets.Windows(window=size), lambda n, h, w: (draw.tensor(n, h, w, 8),), sizes, labels)


def detector(script: bool) -> Callable[[Draw], Case]:
    """One picture, as many boxes as it has; scripted, the suppression stays a loop."""

    def made(draw: Draw) -> Case:
        sizes = [(1, 3, 16, 20)] * 3
        case = draw.case(nets.Detector(draw.choice((0.2, 0.3))), lambda *s: (draw.tensor(*s),), sizes, {})
        return dataclasses.replace(case, module=torch.jit.script(case.module)) if script else case

    return made


def unordered(draw: Draw) -> Case:
    """Three inputs of one shape."""
    labels = dict.fromkeys(("zebra", "apple", "mango"), BATCH)
    return draw.case(nets.Unordered(), lambda n: tuple(draw.tensor(n, 4) for _ in range(3)), [(2,), (1,), (3,)], labels)


def untracked(draw: Draw) -> Case:
    """Statistics of the batch itself."""
    return draw.pictures(nets.Untracked(affine=draw.choice((True, False))), 2)


def cubes(draw: Draw) -> Case:
    """Every axis the same size."""
    size = draw.choice((3, 4, 5))
    return draw.case(nets.Cubes(size), lambda n: (draw.tensor(n, n, n, n),), [(size,), (size,)], {})


def _sampling() -> dict[str, Callable[[Draw], Case]]:
    found = {}
    for kind, mode in ((nets.Sampled, "bilinear"), (nets.Sampled, "bicubic"), (nets.UnrolledSample, "bilinear")):
        for padding, corners in itertools.product(("zeros", "border", "reflection"), (False, True)):
            corner = "corners" if corners else "edges"
            found[f"{kind.__name__}-{mode}-{padding}-{corner}"] = sampled(kind, mode, padding, corners)
    found["Sampled-nearest-zeros-edges"] = sampled(nets.Sampled, "nearest", "zeros", False)
    return found


PATTERNS: Mapping[str, Callable[[Draw], Case]] = {
    "set-prediction": set_prediction,
    "cross-attention": cross_attention,
    "lines": lines,
    "fourier": fourier,
    "upward": upward,
    "shuffled": shuffled,
    **{
        f"{mode}-{'corners' if corners else 'edges'}": resized(mode, corners)
        for mode in ("bicubic", "bilinear")
        for corners in (False, True)
    },
    "settling": settling(script=False),
    "settling-scripted": settling(script=True),
    "channel-shuffle": channel_shuffle,
    "windows": windows,
    "detector": detector(script=False),
    "detector-scripted": detector(script=True),
    "unordered": unordered,
    "untracked": untracked,
    "cubes": cubes,
}
"""Each pattern by its name: a function of what is drawn."""

SAMPLING: Mapping[str, Callable[[Draw], Case]] = _sampling()
"""Grid sampling by kind, mode, padding and corner rule."""
