"""Steps of random graphs that read and write by indices, choose, sort and compress."""

from __future__ import annotations

import numpy as np
from fuzz_graphs import Graph, step

_COMMON = ("float32", "float64", "int64", "int32")


def _indices(graph: Graph, size: int, shape: list[int], *, different: bool = False) -> str:
    """Whole numbers from -size to size - 1; all of them name another place where they are to be `different`."""
    random = np.random.default_rng(graph.whole(0, 999))
    if different:
        values = np.stack([random.permutation(size)[: shape[0]] for _ in range(int(np.prod(shape[1:])))], -1)
        values = values.reshape(shape)
    else:
        values = random.integers(-size, size, shape)
    return graph.constant(values, graph.one_of("int64", "int64", "int32"))


@step
def gather(graph: Graph) -> None:
    """Gather by a number, a list or a table of numbers from either end."""
    x = graph.pick(*_COMMON, "bool", "uint8", rank=1, filled=True)
    if x is not None:
        axis = graph.whole(-x.rank, x.rank - 1)
        shape = [graph.whole(0, 3) for _ in range(graph.whole(0, 2))]
        graph.node("Gather", [x.name, _indices(graph, x.shape[axis], shape)], axis=graph.one_of(axis, axis))


@step
def gather_elements(graph: Graph) -> None:
    """GatherElements whose indices cover less than the tensor."""
    x = graph.pick(*_COMMON, rank=1, filled=True)
    if x is not None:
        axis = graph.whole(-x.rank, x.rank - 1)
        shape = [graph.whole(1, size) for size in x.shape]
        graph.node("GatherElements", [x.name, _indices(graph, x.shape[axis], shape)], axis=axis)


@step
def gather_nd(graph: Graph) -> None:
    """GatherND with batch axes or without."""
    x = graph.pick(*_COMMON, rank=2, filled=True)
    if x is None:
        return
    batches = graph.whole(0, 1)
    depth = graph.whole(1, x.rank - batches)
    rows = [*x.shape[:batches], graph.whole(1, 3), depth]
    random = np.random.default_rng(graph.whole(0, 999))
    values = random.integers(-1, 1, rows) % np.array(x.shape[batches : batches + depth])
    graph.node("GatherND", [x.name, graph.constant(values)], batch_dims=graph.one_of(batches, batches or None))


@step
def scatter_elements(graph: Graph) -> None:
    """ScatterElements that sets different places, or joins by a reduction."""
    x = graph.pick(*_COMMON, rank=1, filled=True)
    if x is None:
        return
    axis = graph.whole(-x.rank, x.rank - 1)
    reduction = graph.one_of(None, "none", "add", "mul", "max", "min")
    turned = [x.shape[axis], *(size for each, size in enumerate(x.shape) if each != axis % x.rank)]
    turned = [graph.whole(1, size) for size in turned]
    random = np.random.default_rng(graph.whole(0, 999))
    rows = [random.permutation(x.shape[axis])[: turned[0]] for _ in range(int(np.prod(turned[1:])))]
    values = np.moveaxis(np.stack(rows, -1).reshape(turned), 0, axis)
    updates = graph.weight(x.dtype, values.shape)
    graph.node("ScatterElements", [x.name, graph.constant(values), updates], axis=axis, reduction=reduction)


@step
def scatter_nd(graph: Graph) -> None:
    """ScatterND of rows or elements, also joined by a reduction."""
    x = graph.pick(*_COMMON, rank=1, filled=True)
    if x is None:
        return
    depth = graph.whole(1, x.rank)
    places = np.array(list(np.ndindex(*x.shape[:depth])))
    random = np.random.default_rng(graph.whole(0, 999))
    chosen = places[random.permutation(len(places))[: graph.whole(1, 3)]]
    updates = graph.weight(x.dtype, [len(chosen), *x.shape[depth:]])
    reduction = graph.one_of(None, "none", "add", "mul", "max", "min")
    graph.node("ScatterND", [x.name, graph.constant(chosen), updates], reduction=reduction)


@step
def one_hot(graph: Graph) -> None:
    """OneHot along any axis, of indices out of bounds too."""
    shape = [graph.whole(1, 3) for _ in range(graph.whole(0, 2))]
    depth = graph.whole(1, 4)
    random = np.random.default_rng(graph.whole(0, 999))
    indices = graph.weight("int64", shape, random.integers(-depth - 1, depth + 2, shape))
    values = graph.constant(np.array([graph.whole(-2, 0), graph.whole(1, 3)], "float32"), "float32")
    axis = graph.whole(-len(shape) - 1, len(shape))
    graph.node("OneHot", [indices, graph.constant(depth), values], axis=graph.one_of(None, axis))


@step
def found(graph: Graph) -> None:
    """NonZero, Compress, whose results' sizes depend on data."""
    x = graph.pick("float32", "int64", "bool", rank=1)
    if x is None:
        return
    if graph.some() and (x.dtype != "float32" or x.name in graph.feeds):  # whether a sum is 0 is a matter of rounding
        graph.node("NonZero", [x.name])
        return
    axis = graph.one_of(None, graph.whole(-x.rank, x.rank - 1))
    size = x.size if axis is None else x.shape[axis]
    kept = graph.weight("bool", [graph.whole(1, size)]) if size else ""
    if kept:
        graph.node("Compress", [x.name, kept], axis=axis)


@step
def different(graph: Graph) -> None:
    """Unique of all elements or of slices, sorted or as they come."""
    x = graph.pick("float32", "int64", rank=1, filled=True)
    if x is None or not graph.finite(x):
        return
    axis = graph.one_of(None, graph.whole(-x.rank, x.rank - 1))
    outputs = ["", *(graph.one_of("-", str(each)) for each in range(1, 4))]
    while outputs[-1] == "-":
        outputs.pop()
    graph.node("Unique", [x.name], outputs, axis=axis, sorted=graph.one_of(None, 0, 1))


@step
def largest(graph: Graph) -> None:
    """TopK of either end, sorted; of values that are all different, since ties are broken as one likes."""
    shape = [graph.whole(1, 4) for _ in range(graph.whole(1, 3))]
    dtype = graph.one_of("float32", "float64", "int64", "int32")
    values = np.random.default_rng(graph.whole(0, 999)).permutation(int(np.prod(shape)))
    x = graph.weight(dtype, shape, values)
    axis = graph.whole(-len(shape), len(shape) - 1)
    count = graph.constant([graph.whole(0, shape[axis])])
    largest_of = graph.one_of(None, 0, 1)
    graph.node("TopK", [x, count], graph.one_of(1, 2), axis=graph.one_of(None, axis), largest=largest_of)


@step
def suppressed(graph: Graph) -> None:
    """NonMaxSuppression with thresholds and either form of boxes."""
    batch, classes, boxes = graph.whole(1, 2), graph.whole(1, 2), graph.whole(1, 5)
    random = np.random.default_rng(graph.whole(0, 999))
    centre = graph.one_of(None, 0, 1)
    low = random.uniform(0, 2, (batch, boxes, 2))
    high = random.uniform(0.5, 2, (batch, boxes, 2)) + (0 if centre else low)
    corners = np.concatenate([low, high], -1)
    scores = random.permutation(batch * classes * boxes).reshape(batch, classes, boxes) / 10
    limits = [graph.constant([graph.whole(0, 3)])]
    if graph.some(4) is False:
        limits += [graph.constant(np.array([each], "float32"), "float32") for each in (0.37, 0.21)[: graph.whole(0, 2)]]
    given = [graph.weight("float32", corners.shape, corners), graph.weight("float32", scores.shape, scores)]
    graph.node("NonMaxSuppression", [*given, *limits], center_point_box=centre)


@step
def kept(graph: Graph) -> None:
    """TensorScatter into a cache (opset 24)."""
    batch, length, width = graph.whole(1, 2), graph.whole(2, 4), graph.whole(1, 3)
    rows = graph.whole(1, length)
    cache, update = graph.input("float32", (batch, 2, length, width)), graph.weight("float32", (batch, 2, rows, width))
    mode = graph.one_of(None, "linear", "circular")
    start = [graph.whole(0, length - (0 if mode == "circular" else rows)) for _ in range(batch)]
    given = [graph.constant([min(each, length - 1) for each in start])] if graph.some() else []
    graph.node("TensorScatter", [cache.name, update, *given], mode=mode)


@step
def einsum(graph: Graph) -> None:
    """Einsum of one or two tensors: sums, products, diagonals, with dots."""
    b, i, j, k = (graph.whole(1, 3) for _ in range(4))
    equation, shapes = graph.one_of(
        ("ij,jk->ik", [(i, j), (j, k)]),
        ("bij,bjk->bik", [(b, i, j), (b, j, k)]),
        ("...ij,...jk", [(b, i, j), (b, j, k)]),
        ("ij->ji", [(i, j)]),
        ("ij->i", [(i, j)]),
        ("ii->i", [(i, i)]),
        ("bij->", [(b, i, j)]),
        ("i,j->ij", [(i,), (j,)]),
        ("bhwkc,hkc->bhwk", [(b, i, j, 2, 3), (i, 2, 3)]),
    )
    dtype = graph.one_of("float32", "float64", "int32")
    names = [graph.input(dtype, shape, tame=True).name for shape in shapes]
    graph.node("Einsum", names, equation=equation)
