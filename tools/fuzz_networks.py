"""Steps of random graphs that are layers: convolutions, pooling, normalization, recurrence, attention, images."""

from __future__ import annotations

from typing import Any

import numpy as np
from fuzz_graphs import Graph, Tensor, step

F32 = "float32"


def image(graph: Graph, rank: int, channels: int, *, tame: bool = False) -> Tensor:
    """A new tensor of batch, channels and that many other axes."""
    batch = graph.whole(0, 2) if graph.some(8) else graph.whole(1, 2)
    shape = (batch, channels, *(graph.whole(3, 6) for _ in range(rank)))
    return graph.input(graph.one_of(F32, F32, "float64"), shape, tame=tame)


def windows(graph: Graph, rank: int, *, dilated: bool = True) -> dict[str, Any]:
    """Kernel, strides, pads and dilations, each sometimes unsaid; pads are smaller than the kernel."""
    kernel = [graph.whole(1, 3) for _ in range(rank)]
    said: dict[str, Any] = {"kernel_shape": kernel}
    if graph.some():
        said["strides"] = [graph.whole(1, 3) for _ in range(rank)]
    if graph.some(3):
        said["auto_pad"] = graph.one_of("SAME_UPPER", "SAME_LOWER", "VALID")
    elif graph.some():
        said["pads"] = [graph.whole(0, each - 1) for each in (*kernel, *kernel)]
    if dilated and graph.some(3):
        said["dilations"] = [graph.whole(1, 2) for _ in range(rank)]
    return said


@step
def convolution(graph: Graph) -> None:
    """Conv of one to three axes, grouped, with a bias or without."""
    rank, group = graph.whole(1, 3), graph.one_of(1, 1, 2, 4)
    x = image(graph, rank, 4)
    said = windows(graph, rank)
    out = group * graph.whole(1, 2)
    weight = graph.weight(x.dtype, (out, 4 // group, *said["kernel_shape"]))
    bias = [graph.weight(x.dtype, (out,))] if graph.some() else []
    if graph.some():
        del said["kernel_shape"]
    graph.node("Conv", [x.name, weight, *bias], group=graph.one_of(group, group if group > 1 else None), **said)


@step
def transposed(graph: Graph) -> None:
    """ConvTranspose with output padding, groups, pads that differ, or a stated shape."""
    rank, group = graph.whole(1, 3), graph.one_of(1, 1, 2)
    x = image(graph, rank, 4)
    said = windows(graph, rank)
    said.pop("auto_pad", None)
    strides = said.get("strides", [1] * rank)
    if graph.some(3):
        said["output_padding"] = [graph.whole(0, each - 1) for each in strides]
    weight = graph.weight(x.dtype, (4, graph.whole(1, 2), *said["kernel_shape"]))
    graph.node("ConvTranspose", [x.name, weight], group=group, **said)


@step
def deformable(graph: Graph) -> None:
    """DeformConv with a mask or without."""
    batch, groups = graph.whole(1, 2), graph.one_of(1, 2)
    x = graph.input(F32, (batch, 4, 5, 6), tame=True)
    kernel, stride = (graph.whole(1, 2), graph.whole(1, 3)), graph.whole(1, 2)
    sizes = [(size - each) // stride + 1 for size, each in zip((5, 6), kernel, strict=True)]
    taps = kernel[0] * kernel[1]
    weight, offset = graph.weight(F32, (2, 4, *kernel)), graph.weight(F32, (batch, groups * taps * 2, *sizes))
    mask = ["", graph.weight(F32, (batch, groups * taps, *sizes))] if graph.some() else []
    said = {"kernel_shape": kernel, "strides": [stride, stride], "offset_group": groups, "pads": [0] * 4}
    graph.node("DeformConv", [x.name, weight, offset, *mask], **said)


@step
def pooling(graph: Graph) -> None:
    """MaxPool (also with places), AveragePool, LpPool of one to three axes."""
    rank = graph.whole(1, 3)
    op = graph.one_of("MaxPool", "AveragePool", "LpPool")
    x = image(graph, rank, graph.whole(1, 3), tame=op == "MaxPool")  # a maximum beside NaN: docs/oracles.md
    said = windows(graph, rank, dilated=op == "MaxPool" or (op == "AveragePool" and graph.opset >= 19))
    if op == "AveragePool" and "auto_pad" in said:  # onnxruntime and the reference are both wrong: docs/oracles.md
        said.pop("dilations", None)
    if any(stride > size for stride, size in zip(said.get("strides", ()), said["kernel_shape"], strict=False)):
        said.pop("auto_pad", None)  # onnxruntime crops then: docs/oracles.md
    if op != "LpPool" and "auto_pad" not in said:
        said["ceil_mode"] = graph.one_of(None, 0, 1)
    if op == "AveragePool":
        said["count_include_pad"] = graph.one_of(None, 0, 1)
    outputs = 2 if op == "MaxPool" and graph.some(3) and x.dtype == F32 and graph.finite(x) else 1
    graph.node(op, [x.name], outputs, p=graph.one_of(None, 1, 3) if op == "LpPool" else None, **said)


@step
def global_pooling(graph: Graph) -> None:
    """Pooling of everything."""
    x = image(graph, graph.whole(1, 3), graph.whole(1, 3), tame=True)
    op = graph.one_of("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
    graph.node(op, [x.name], p=graph.one_of(None, 1, 3) if op == "GlobalLpPool" else None)


@step
def normalization(graph: Graph) -> None:
    """Batch, instance, layer, group, RMS and local response normalization."""
    x = image(graph, graph.whole(0, 3), 4)
    op = graph.one_of(
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN", "MeanVarianceNormalization"),
        *(["GroupNormalization"] if graph.opset >= 21 else []),
        *(["RMSNormalization"] if graph.opset >= 23 else []),
    )
    epsilon = graph.one_of(None, 1e-3)
    numbers = [graph.weight(x.dtype, (4,)) for _ in range(2)]
    if op == "BatchNormalization":
        variance = np.random.default_rng(graph.whole(0, 99)).uniform(0.1, 2, 4)
        graph.node(
            op, [x.name, *numbers, graph.weight(x.dtype, (4,)), graph.weight(x.dtype, (4,), variance)], epsilon=epsilon
        )
    elif op == "LRN":
        said = {"size": graph.one_of(1, 3, 5), "bias": graph.one_of(None, 2.0), "beta": graph.one_of(None, 0.5)}
        graph.node(op, [x.name], alpha=graph.one_of(None, 0.01), **said)
    elif op == "MeanVarianceNormalization":
        graph.node(op, [x.name], axes=graph.one_of(None, [0, 2, 3], [1]) if x.rank == 4 else [x.rank - 1])
    elif op in ("LayerNormalization", "RMSNormalization"):
        axis = graph.one_of(None, *range(-x.rank, x.rank))
        shape = x.shape[-1 if axis is None else axis :]
        rest = [graph.weight(x.dtype, shape) for _ in range(2 if op == "LayerNormalization" and graph.some() else 1)]
        graph.node(op, [x.name, *rest], axis=axis, epsilon=epsilon)
    elif op == "GroupNormalization":
        graph.node(op, [x.name, *numbers], num_groups=graph.one_of(1, 2, 4), epsilon=epsilon)
    else:
        graph.node(op, [x.name, *numbers], epsilon=epsilon)


@step
def product(graph: Graph) -> None:
    """MatMul of one to four axes that broadcast."""
    x = graph.pick("float32", "float64", "int32", rank=1)
    if x is None:
        return
    columns = [graph.whole(1, 4)] if graph.some(4) is False else []
    front = [graph.one_of(1, size) if size else 0 for size in x.shape[:-2]] if graph.some() and columns else []
    y = graph.input(x.dtype, (*front, x.shape[-1], *columns))
    graph.node("MatMul", [x.name, y.name])


@step
def linear(graph: Graph) -> None:
    """Gemm, either operand turned, scaled, with a bias that broadcasts."""
    rows, inner, columns = (graph.whole(1, 4) for _ in range(3))
    dtype = graph.one_of(F32, "float64")
    turned = [graph.one_of(None, 0, 1) for _ in range(2)]
    x = graph.input(dtype, (inner, rows) if turned[0] else (rows, inner))
    weight = graph.weight(dtype, (columns, inner) if turned[1] else (inner, columns))
    shape = graph.one_of((), (columns,), (1, columns), (rows, 1), (rows, columns))
    bias = [graph.weight(dtype, shape)] if graph.some(3) is False else []
    scales = {name: graph.one_of(None, 0.5, 2.0) for name in ("alpha", "beta")}
    graph.node("Gemm", [x.name, weight, *bias], transA=turned[0], transB=turned[1], **scales)


@step
def determinant(graph: Graph) -> None:
    """Det of matrices."""
    size = graph.whole(1, 3)
    x = graph.input(F32, (*([graph.whole(1, 2)] * graph.whole(0, 2)), size, size), tame=True)
    graph.node("Det", [x.name])


@step
def recurrent(graph: Graph) -> None:
    """LSTM, GRU, RNN: directions, biases, states, lengths, clipping, either order of GRU's gates."""
    op, way = graph.one_of("LSTM", "GRU", "RNN"), graph.one_of(None, "forward", "reverse", "bidirectional")
    length, batch, size, hidden = (graph.whole(1, 3) for _ in range(4))
    ways, gates = 2 if way == "bidirectional" else 1, {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    x = graph.input(F32, (length, batch, size), tame=True)
    names = [
        x.name,
        graph.weight(F32, (ways, gates * hidden, size)),
        graph.weight(F32, (ways, gates * hidden, hidden)),
        graph.weight(F32, (ways, 2 * gates * hidden)) if graph.some() else "",
    ]
    lengths = sorted((graph.whole(1, length) for _ in range(batch)), reverse=True)
    names.append(graph.constant(lengths, "int32") if graph.some(4) else "")
    names.append(graph.weight(F32, (ways, batch, hidden)) if graph.some() else "")
    if op == "LSTM":
        names.append(graph.weight(F32, (ways, batch, hidden)) if names[-1] else "")
        names.append(graph.weight(F32, (ways, 3 * hidden)) if graph.some(4) else "")
    said: dict[str, Any] = {"clip": graph.one_of(None, None, 0.5), "direction": way}
    if op == "GRU":
        said["linear_before_reset"] = graph.one_of(None, 0, 1)
    if op == "RNN" and graph.some(3):
        said["activations"] = ["Relu"] * ways
    shown = ["", graph.one_of("1", "-"), *([graph.one_of("2", "-")] if op == "LSTM" else [])]
    while shown[-1] == "-":
        shown.pop()
    graph.node(op, names, shown, hidden_size=hidden, **said)


@step
def attention(graph: Graph) -> None:
    """Attention (opset 23) with masks, causal, fewer key heads than query heads, scaled, capped."""
    batch, heads, keys = graph.whole(1, 2), graph.whole(1, 2), graph.whole(1, 2)
    length, total, size = graph.whole(1, 3), graph.whole(1, 4), graph.one_of(2, 4)
    shapes: list[tuple[int, ...]]
    if graph.some(3):
        shapes = [(batch, length, heads * keys * size), *[(batch, total, keys * size)] * 2]
        said: dict[str, Any] = {"q_num_heads": heads * keys, "kv_num_heads": keys}
    else:
        shapes, said = [(batch, heads * keys, length, size), *[(batch, keys, total, size)] * 2], {}
    names = [graph.input(F32, shape, tame=True).name for shape in shapes]
    mask = graph.one_of("", "bool", F32)
    if mask == "bool":
        values = np.random.default_rng(graph.whole(0, 99)).integers(0, 3, (length, total)) > 0
        values[:, 0] = True  # a row of nothing has no meaning
        names.append(graph.weight("bool", values.shape, values))
    elif mask:
        names.append(graph.weight(F32, graph.one_of((length, total), (batch, 1, length, total))))
    said["is_causal"] = graph.one_of(None, 0, 1) if mask != "bool" else None
    said["scale"], said["softcap"] = graph.one_of(None, 0.3), graph.one_of(None, None, 2.0)
    graph.node("Attention", names, **said)


@step
def rotary(graph: Graph) -> None:
    """RotaryEmbedding (opset 23), in halves or interleaved, with positions or without."""
    batch, heads, length, size = graph.whole(1, 2), graph.whole(1, 2), graph.whole(1, 3), graph.one_of(4, 8)
    x = graph.input(F32, (batch, heads, length, size))
    positions = graph.some()
    shape = (length + 2, size // 2) if positions else (batch, length, size // 2)
    caches = [graph.weight(F32, shape) for _ in range(2)]
    rows = np.random.default_rng(graph.whole(0, 99)).integers(0, length + 2, (batch, length))
    given = [graph.constant(rows)] if positions else []
    graph.node("RotaryEmbedding", [x.name, *caches, *given], interleaved=graph.one_of(None, 0, 1))


@step
def resize(graph: Graph) -> None:
    """Resize by scales or sizes, of each mode and rule."""
    rank = graph.whole(1, 2)
    x = graph.input(F32, (graph.whole(1, 2), graph.whole(1, 2), *(graph.whole(2, 5) for _ in range(rank))), tame=True)
    mode = graph.one_of(None, "nearest", "linear", "cubic" if rank == 2 else "linear")
    said: dict[str, Any] = {"mode": mode}
    rules = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    said["coordinate_transformation_mode"] = graph.one_of(None, *rules)
    if mode in (None, "nearest"):
        said["nearest_mode"] = graph.one_of(None, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    if mode == "cubic":
        said["cubic_coeff_a"] = graph.one_of(None, -0.5)
    if mode in ("linear", "cubic") and graph.some(4):
        said["antialias"] = 1
    if graph.some():
        scales = [1.0, 1.0, *(graph.one_of(0.5, 1.0, 1.5, 2.0, 3.0) for _ in range(rank))]
        graph.node("Resize", [x.name, "", graph.constant(scales, F32)], **said)
    else:
        sizes = [*x.shape[:2], *(graph.whole(1, 7) for _ in range(rank))]
        graph.node("Resize", [x.name, "", "", graph.constant(sizes)], **said)


@step
def sampled(graph: Graph) -> None:
    """GridSample of images, each mode, padding and corner rule; its grid from AffineGrid or given."""
    batch, corners = graph.whole(1, 2), graph.one_of(None, 0, 1)
    x = graph.input(F32, (batch, graph.whole(1, 2), graph.whole(2, 4), graph.whole(2, 4)), tame=True)
    sizes = [graph.whole(2 if corners else 1, 3) for _ in range(2)]  # one element has two corners: docs/oracles.md
    if graph.opset >= 20 and graph.some(3):
        theta = graph.weight(F32, (batch, 2, 3))
        made = graph.node("AffineGrid", [theta, graph.constant([*x.shape[:2], *sizes])], align_corners=corners)
        grid = made[0].name if made else graph.weight(F32, (batch, *sizes, 2))
    else:
        grid = graph.weight(F32, (batch, *sizes, 2))
    modes = ("linear", "nearest", "cubic") if graph.opset >= 20 else ("bilinear", "nearest", "bicubic")
    mode, padding = graph.one_of(None, *modes), graph.one_of(None, "zeros", "border", "reflection")
    graph.node("GridSample", [x.name, grid], mode=mode, padding_mode=padding, align_corners=corners)


@step
def regions(graph: Graph) -> None:
    """RoiAlign, MaxRoiPool."""
    x = graph.input(F32, (2, graph.whole(1, 2), 5, 6), tame=True)
    count = graph.whole(1, 3)
    low = np.random.default_rng(graph.whole(0, 99)).integers(0, 3, (count, 2))
    boxes = np.concatenate([low, low + 2], 1)
    sizes = [graph.whole(1, 3), graph.whole(1, 3)]
    scale = graph.one_of(None, 0.5)
    if graph.some(3):
        rows = np.concatenate([np.arange(count)[:, None] % 2, boxes], 1)
        graph.node("MaxRoiPool", [x.name, graph.weight(F32, rows.shape, rows)], pooled_shape=sizes, spatial_scale=scale)
        return
    said = {"mode": graph.one_of(None, "avg"), "sampling_ratio": graph.one_of(None, 0, 2)}
    rule = graph.one_of(None, "half_pixel", "output_half_pixel")
    given = [graph.weight(F32, boxes.shape, boxes), graph.constant(np.arange(count) % 2)]
    said |= {"output_height": sizes[0], "output_width": sizes[1], "spatial_scale": scale}
    graph.node("RoiAlign", [x.name, *given], coordinate_transformation_mode=rule, **said)
