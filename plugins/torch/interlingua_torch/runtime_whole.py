"""Keeps operators whole that PyTorch's exporter takes apart or drops, as operators of ours.

Of adaptive means it gathers and masks each window; of `detach`, which training knows alone, nothing is left.
"""

import torch

ATEN = torch.ops.aten
RANKS = {ATEN.adaptive_avg_pool1d.default: 1, ATEN.adaptive_avg_pool2d.default: 2, ATEN.adaptive_avg_pool3d.default: 3}

MEANS = {1: ATEN.avg_pool1d.default, 2: ATEN.avg_pool2d.default, 3: ATEN.avg_pool3d.default}


def spellings(program):
    """What says each adaptive mean of uneven windows, and each `detach`, as one operator of ours.

    Where windows are even PyTorch's own decomposition is a mean or an ordinary pooling; but a mean over everything
    whose input stands channels last in memory gets an `as_strided`, which ONNX has as a gathering of single elements.
    """
    nodes = [node for node in program.graph.nodes if node.target in RANKS and (_uneven(node) or _strided(node))]
    table = {node.target: _whole(node.target) for node in nodes}
    if any(node.target is ATEN.detach.default for node in program.graph.nodes):
        table[ATEN.detach.default] = _detached
    return table


def _detached(x):
    return torch.onnx.ops.symbolic("interlingua::StopGradient", (x,), dtype=x.dtype, shape=x.shape, version=1)


def _uneven(node):
    source, wanted = node.args[0].meta["val"], node.args[1]
    return _is_uneven(source.shape[-len(wanted) :], wanted)


def _strided(node):
    return all(number == 1 for number in node.args[1]) and not node.args[0].meta["val"].is_contiguous()


def _is_uneven(sizes, wanted):
    """Whether windows differ in size, or may; not said of outputs whose size only a run tells."""
    if not all(isinstance(number, int) for number in wanted) or all(number == 1 for number in wanted):
        return False
    return any(not isinstance(size, int) or size % number for size, number in zip(sizes, wanted, strict=True))


def _whole(target):
    rank = RANKS[target]

    def mean(x, output_size):
        sizes = x.shape[-rank:]
        if all(number == 1 for number in output_size):
            return x.mean(list(range(-rank, 0)), keepdim=True)
        if not _is_uneven(sizes, output_size):
            window = [size // number for size, number in zip(sizes, output_size, strict=True)]
            return MEANS[rank](x, window, window)
        return torch.onnx.ops.symbolic(
            "interlingua::AdaptiveAveragePool%dD" % rank,
            (x,),
            {"output_size": list(output_size)},
            dtype=x.dtype,
            shape=(*x.shape[:-rank], *output_size),
            version=1,
        )

    return mean
