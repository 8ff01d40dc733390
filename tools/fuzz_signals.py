"""Steps of random graphs on signals, quantized numbers and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from fuzz_graphs import Graph, step

F32 = "float32"


@step
def fourier(graph: Graph) -> None:
    """DFT of real or complex signals, inverse, one-sided, of another length."""
    parts = graph.whole(1, 2)
    x = graph.input(F32, (graph.whole(1, 2), graph.whole(2, 6), graph.whole(1, 4), parts), tame=True)
    way = {"onesided": 1} if parts == 1 and graph.some() else {"inverse": graph.one_of(None, 1) if parts == 2 else None}
    length = [graph.constant(graph.whole(2, 7))] if graph.some(3) else []
    axis: Any = graph.one_of(1, 2, -2)
    if graph.opset >= 20:
        graph.node("DFT", [x.name, *(length or [""]), graph.constant(axis)], **way)
    else:
        graph.node("DFT", [x.name, *length], axis=axis, **way)


@step
def short_fourier(graph: Graph) -> None:
    """STFT with a window or a stated length."""
    x = graph.input(F32, (graph.whole(1, 2), graph.whole(12, 20), 1), tame=True)
    size, hop = graph.one_of(4, 6, 8), graph.whole(1, 4)
    window = graph.weight(F32, (size,)) if graph.some() else ""
    graph.node("STFT", [x.name, graph.constant(hop), window, graph.constant(size)], onesided=graph.one_of(None, 0, 1))


@step
def window(graph: Graph) -> None:
    """Windows of a stated size, and the weights of mel scales."""
    op = graph.one_of("HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix")
    if op == "MelWeightMatrix":
        numbers = (graph.whole(2, 6), graph.one_of(16, 32), 8000)
        ends = (np.float32(graph.one_of(0, 100)), np.float32(4000))
        names = [*(graph.constant(each) for each in numbers), *(graph.constant(each, F32) for each in ends)]
        graph.node(op, names)
    else:
        graph.node(op, [graph.constant(graph.whole(2, 9))], periodic=graph.one_of(None, 0, 1))


@step
def folded(graph: Graph) -> None:
    """Col2Im: patches summed to images."""
    batch, channels = graph.whole(1, 2), graph.whole(1, 2)
    block, stride = [graph.whole(1, 3), graph.whole(1, 2)], [graph.whole(1, 2), 1]
    counts = [graph.whole(1, 3), graph.whole(1, 3)]
    sizes = [(n - 1) * s + b for n, s, b in zip(counts, stride, block, strict=True)]
    x = graph.input(F32, (batch, channels * block[0] * block[1], counts[0] * counts[1]))
    graph.node("Col2Im", [x.name, graph.constant(sizes), graph.constant(block)], strides=stride)


@step
def quantized(graph: Graph) -> None:
    """QuantizeLinear and back, by tensor or by axis, with a zero point or without."""
    x = graph.pick(F32, filled=True)
    if x is None or not graph.finite(x):  # NaN has no whole number
        return
    dtype = graph.one_of("uint8", "int8")
    axis = graph.whole(-x.rank, x.rank - 1) if x.rank and graph.some() else None
    shape = [] if axis is None else [x.shape[axis]]
    random = np.random.default_rng(graph.whole(0, 99))
    scale = graph.weight(F32, shape, 0.05 + random.random(shape))
    zero = [graph.weight(dtype, shape)] if graph.some() or dtype == "int8" else []
    made = graph.node("QuantizeLinear", [x.name, scale, *zero], axis=axis)
    if made and graph.some(3) is False:
        graph.node("DequantizeLinear", [made[0].name, scale, *zero], axis=axis)


@step
def quantized_product(graph: Graph) -> None:
    """MatMulInteger, QLinearMatMul, DynamicQuantizeLinear."""
    rows, inner, columns = (graph.whole(1, 4) for _ in range(3))
    op = graph.one_of("MatMulInteger", "QLinearMatMul", "DynamicQuantizeLinear")
    if op == "DynamicQuantizeLinear":
        x = graph.input(F32, (rows, inner), tame=True)
        graph.node(op, [x.name], 3)
        return
    x, y = graph.input("uint8", (rows, inner)), graph.weight("uint8", (inner, columns))
    if op == "MatMulInteger":
        zeros = [graph.weight("uint8", ()) for _ in range(graph.whole(0, 2))]
        graph.node(op, [x.name, y, *zeros])
        return
    scale, zero = graph.weight(F32, (), 0.25), graph.weight("uint8", (), 3)
    graph.node(op, [x.name, scale, zero, y, scale, zero, graph.weight(F32, (), 0.5), graph.weight("uint8", (), 10)])


@step
def quantized_convolution(graph: Graph) -> None:
    """ConvInteger, QLinearConv."""
    x, y = graph.input("uint8", (1, 2, 4, 5)), graph.weight("uint8", (3, 2, 2, 2))
    pads = graph.one_of(None, [1, 0, 1, 1])
    if graph.some():
        zeros = [graph.weight("uint8", ())] if graph.some() and pads is None else []
        graph.node("ConvInteger", [x.name, y, *zeros], pads=pads)
        return
    scale, zero = graph.weight(F32, (), 0.25), graph.weight("uint8", (), 2)
    bias = [graph.weight("int32", (3,))] if graph.some() else []
    end = [graph.weight(F32, (), 0.5), graph.weight("uint8", (), 10)]
    graph.node("QLinearConv", [x.name, scale, zero, y, scale, zero, *end, *bias], pads=pads)


@step
def losses(graph: Graph) -> None:
    """NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss: weights, an ignored class, each reduction."""
    batch, classes, rest = graph.whole(1, 3), graph.whole(2, 4), [graph.whole(1, 3)] * graph.whole(0, 2)
    scores = graph.input(F32, (batch, classes, *rest), tame=True)
    targets = graph.constant(np.random.default_rng(graph.whole(0, 99)).integers(0, classes, (batch, *rest)))
    weights = [graph.weight(F32, (classes,), 0.2 + np.arange(classes))] if graph.some() else []
    op = graph.one_of("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
    outputs = graph.whole(1, 2) if op.startswith("S") else 1
    said = {"reduction": graph.one_of(None, "none", "sum", "mean"), "ignore_index": graph.one_of(None, 0)}
    graph.node(op, [scores.name, targets, *weights], outputs, **said)


@step
def words(graph: Graph) -> None:
    """TfIdfVectorizer of numbers."""
    x = graph.input(graph.one_of("int64", "int32"), (graph.whole(1, 2), graph.whole(3, 6)))
    said: dict[str, Any] = {
        "ngram_counts": [0, 3],
        "ngram_indexes": [0, 1, 2, 3, 4],
        "pool_int64s": [2, 3, 5, 5, 6, 7, 8],
    }
    longest, skips = graph.whole(1, 2), graph.whole(0, 2)
    mode = graph.one_of("TF", "IDF", "TFIDF")
    numbers = {"min_gram_length": 1, "max_gram_length": longest, "max_skip_count": skips}
    graph.node("TfIdfVectorizer", [x.name], mode=mode, **numbers, **said)
