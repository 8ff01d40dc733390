"""Writes pixels into channels with every size said: PyTorch's exporter says -1 for the batch and reshapes twice."""

import torch

UNSHUFFLE = torch.ops.aten.pixel_unshuffle.default


def _unshuffled(x, downscale_factor):
    step = downscale_factor
    *outer, channels, height, width = x.shape
    x = x.reshape(*outer, channels, height // step, step, width // step, step)
    first = len(outer)
    x = x.permute(*range(first), *(first + axis for axis in (0, 2, 4, 1, 3)))
    return x.reshape(*outer, channels * step * step, height // step, width // step)


def spellings(program):
    """What says each pixel unshuffle of the program as a reshape, a permutation and a reshape."""
    there = any(node.target is UNSHUFFLE for node in program.graph.nodes)
    return {UNSHUFFLE: _unshuffled} if there else {}
