"""What each record computes, in numpy and in double precision: the measure that every framework is held to.

A formula takes the inputs by canonical name (a variadic one as a list) and every canonical parameter with its
default filled in. They are written for clarity and small arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Formula = Callable[[Mapping[str, Any], Mapping[str, Any]], Array]

FORMULAS: dict[str, Formula] = {}


def _formula(*names: str) -> Callable[[Formula], Formula]:
    def keep(function: Formula) -> Formula:
        FORMULAS.update(dict.fromkeys(names, function))
        return function

    return keep


def _last(where: tuple[Any, ...]) -> Any:
    """An index of the last axes."""
    return (..., *where)


def _elementwise(name: str, function: Callable[..., Array], *inputs: str) -> None:
    FORMULAS[name] = lambda given, said: np.asarray(function(*(given[i] for i in inputs)))


_elementwise("Relu", lambda x: np.maximum(x, 0), "X")
_elementwise("Sigmoid", lambda x: 1 / (1 + np.exp(-x)), "X")
_elementwise("Tanh", np.tanh, "input")
_elementwise("PRelu", lambda x, slope: np.where(x >= 0, x, slope * x), "X", "slope")
_elementwise("Add", np.add, "A", "B")
_elementwise("Sub", np.subtract, "A", "B")
_elementwise("Mul", np.multiply, "A", "B")
_elementwise("Div", np.divide, "A", "B")
_elementwise("Pow", np.power, "X", "Y")
_elementwise("Sqrt", np.sqrt, "X")
_elementwise("Exp", np.exp, "X")
_elementwise("Log", np.log, "X")
_elementwise("Abs", np.abs, "X")
_elementwise("MatMul", np.matmul, "A", "B")
_elementwise("Dropout", lambda data: data, "data")


@_formula("LeakyRelu")
def _leaky(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(np.where(given["X"] >= 0, given["X"], said["alpha"] * given["X"]))


@_formula("Elu")
def _elu(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(np.where(given["X"] > 0, given["X"], said["alpha"] * np.expm1(given["X"])))


def _softmax_of(x: Array, axis: int) -> Array:
    shifted = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis, keepdims=True))


@_formula("Softmax")
def _softmax(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return _softmax_of(given["input"], said["axis"])


@_formula("Clip")
def _clip(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    low = -math.inf if said["min"] is None else said["min"]
    high = math.inf if said["max"] is None else said["max"]
    return np.asarray(np.minimum(np.maximum(given["input"], low), high))


@_formula("Conv")
def _convolution(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x, w, group = given["X"], given["W"], said["group"]
    kernel, rank = w.shape[2:], w.ndim - 2
    begin, end = said["pads"][:rank], said["pads"][rank:]
    padded = np.pad(x, [(0, 0), (0, 0), *zip(begin, end, strict=True)])
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, said["dilations"], strict=True)]
    sizes = [(n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, said["strides"], strict=True)]
    grouped_x = padded.reshape(x.shape[0], group, x.shape[1] // group, *padded.shape[2:])
    grouped_w = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    result = np.zeros((x.shape[0], group, w.shape[0] // group, *sizes))
    for tap in itertools.product(*map(range, kernel)):
        where = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, said["dilations"], sizes, said["strides"], strict=True)
        )
        result += np.einsum("ngi...,goi->ngo...", grouped_x[_last(where)], grouped_w[_last(tap)])
    return _with_bias(result.reshape(x.shape[0], w.shape[0], *sizes), given.get("B"))


def _with_bias(result: Array, bias: Array | None) -> Array:
    return result if bias is None else result + bias.reshape(-1, *[1] * (result.ndim - 2))


@_formula("ConvTranspose")
def _transposed(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x, w, group = given["X"], given["W"], said["group"]
    kernel, rank = w.shape[2:], w.ndim - 2
    whole = [
        (n - 1) * s + (k - 1) * d + 1 + p
        for n, s, k, d, p in zip(
            x.shape[2:], said["strides"], kernel, said["dilations"], said["output_padding"], strict=True
        )
    ]
    grouped_x = x.reshape(x.shape[0], group, x.shape[1] // group, *x.shape[2:])
    grouped_w = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    result = np.zeros((x.shape[0], group, w.shape[1], *whole))
    for tap in itertools.product(*map(range, kernel)):
        where = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, said["dilations"], x.shape[2:], said["strides"], strict=True)
        )
        result[_last(where)] += np.einsum("ngi...,gio->ngo...", grouped_x, grouped_w[_last(tap)])
    cut = tuple(slice(b, n - e) for b, e, n in zip(said["pads"][:rank], said["pads"][rank:], whole, strict=True))
    return _with_bias(result.reshape(x.shape[0], group * w.shape[1], *whole)[_last(cut)], given.get("B"))


def pooled_size(size: int, reach: int, stride: int, begin: int, end: int, ceil: bool) -> int:
    """The output's size along an axis; a window that would begin in the padding at the end is none."""
    room = size + begin + end - reach
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + begin else count


def _windows(x: Array, said: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Every window's elements on a last axis: the values, whether they are data, whether data or padding."""
    rank = x.ndim - 2
    begin, end = said["pads"][:rank], said["pads"][rank:]
    kernel, strides = said["kernel_shape"], said["strides"]
    dilations = said.get("dilations") or [1] * rank
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [
        pooled_size(*row, bool(said["ceil_mode"])) for row in zip(x.shape[2:], reach, strides, begin, end, strict=True)
    ]
    beyond = [
        max((n - 1) * s + r - (size + b + e), 0)
        for n, s, r, size, b, e in zip(sizes, strides, reach, x.shape[2:], begin, end, strict=True)
    ]
    amounts = [(0, 0), (0, 0), *((b, e + more) for b, e, more in zip(begin, end, beyond, strict=True))]
    data = np.pad(np.ones_like(x), amounts)
    inside = np.pad(
        np.pad(np.ones_like(x), [(0, 0), (0, 0), *zip(begin, end, strict=True)], constant_values=1),
        [(0, 0), (0, 0), *((0, m) for m in beyond)],
    )
    values = np.pad(x, amounts)
    taps = [
        tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilations, sizes, strides, strict=True)
        )
        for tap in itertools.product(*map(range, kernel))
    ]
    values, data, inside = (np.stack([a[_last(tap)] for tap in taps], -1) for a in (values, data, inside))
    return values, data, inside


@_formula("MaxPool")
def _max_pool(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    values, data, _ = _windows(given["X"], said)
    return np.asarray(np.where(data > 0, values, -np.inf).max(-1))


@_formula("AveragePool")
def _average_pool(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    values, data, inside = _windows(given["X"], said)
    counted = inside if said["count_include_pad"] else data
    return np.asarray(values.sum(-1) / counted.sum(-1))


@_formula("GlobalAveragePool")
def _global_average(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x = given["X"]
    return np.asarray(x.mean(tuple(range(2, x.ndim)), keepdims=True))


@_formula("Gemm")
def _dense(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    a = given["A"].T if said["transA"] else given["A"]
    b = given["B"].T if said["transB"] else given["B"]
    product = said["alpha"] * (a @ b)
    return np.asarray(product if given.get("C") is None else product + said["beta"] * given["C"])


@_formula("BatchNormalization")
def _batch_normalization(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x = given["X"]
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    mean = x.mean(others) if said["training_mode"] else given["input_mean"]
    variance = x.var(others) if said["training_mode"] else given["input_var"]
    scale, shift, mean, variance = (
        v.reshape(-1, *[1] * (x.ndim - 2)) for v in (given["scale"], given["B"], mean, variance)
    )
    return np.asarray((x - mean) / np.sqrt(variance + said["epsilon"]) * scale + shift)


@_formula("LRN")
def _local_response(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x, size = given["X"], said["size"]
    before = (size - 1) // 2
    squares = np.pad(x**2, [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    sums = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return np.asarray(x / (said["bias"] + said["alpha"] / size * sums) ** said["beta"])


@_formula("Flatten")
def _flatten(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x = given["input"]
    axis = said["axis"] + (x.ndim if said["axis"] < 0 else 0)
    return np.asarray(x.reshape(math.prod(x.shape[:axis]), -1))


@_formula("Reshape")
def _reshape(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x = given["data"]
    copied = [x.shape[i] if n == 0 and not said["allowzero"] else n for i, n in enumerate(said["shape"])]
    return np.asarray(x.reshape(copied))


@_formula("Transpose")
def _transpose(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(given["data"].transpose(said["perm"]))


@_formula("Concat")
def _concat(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(np.concatenate(given["inputs"], said["axis"]))


@_formula("Squeeze")
def _squeeze(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(np.squeeze(given["data"], None if said["axes"] is None else tuple(said["axes"])))


@_formula("Unsqueeze")
def _unsqueeze(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    return np.asarray(np.expand_dims(given["data"], tuple(said["axes"])))


@_formula("Pad")
def _pad(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    x = given["data"]
    amounts = [[0, 0] for _ in range(x.ndim)]
    named = said["axes"] if said["axes"] is not None else range(x.ndim)
    half = len(said["pads"]) // 2
    for position, axis in enumerate(named):
        amounts[axis] = [said["pads"][position], said["pads"][position + half]]
    cut = tuple(slice(max(-b, 0), n - max(-e, 0)) for (b, e), n in zip(amounts, x.shape, strict=True))
    added = [(max(b, 0), max(e, 0)) for b, e in amounts]
    modes: Mapping[str, dict[str, Any]] = {"constant": {"constant_values": said["constant_value"]}}
    return np.asarray(np.pad(x[cut], added, said["mode"], **modes.get(said["mode"], {})))


@_formula("ReduceMean")
def _reduce_mean(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    if not said["axes"] and said["noop_with_empty_axes"]:
        return np.asarray(given["data"])
    axes = tuple(said["axes"]) if said["axes"] else None
    return np.asarray(np.mean(given["data"], axes, keepdims=bool(said["keepdims"])))


@_formula("softmax_cross_entropy")
def _cross_entropy(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    logits, labels, axis = given["logits"], given["labels"], said["axis"]
    shares = np.log(_softmax_of(logits, axis))
    if said["soft_labels"]:
        return _reduced(
            -(shares * labels).sum(axis), np.ones(labels.shape[:axis] + labels.shape[axis + 1 :]), said["reduction"]
        )
    numbers = labels.astype(np.int64)
    counts = np.ones(numbers.shape) if said["ignore_index"] is None else (numbers != said["ignore_index"]).astype(float)
    picked = -np.take_along_axis(shares, np.expand_dims(np.where(counts > 0, numbers, 0), axis), axis).squeeze(axis)
    return _reduced(picked * counts, counts, said["reduction"])


def _reduced(losses: Array, counts: Array, reduction: str) -> Array:
    if reduction == "none":
        return losses
    return np.asarray(losses.sum() / counts.sum() if reduction == "mean" else losses.sum())


@_formula("placeholder")
def _declared(given: Mapping[str, Any], said: Mapping[str, Any]) -> Array:
    """The shape itself, −1 for an unknown axis."""
    return np.array([-1 if size is None else size for size in said["shape"] or ()])


def compute(record: str, inputs: Mapping[str, Sequence[Array] | Array], values: Mapping[str, Any]) -> Array:
    """The result of a record for inputs by canonical name, in double precision."""
    wide: dict[str, Any] = {}
    for name, given in inputs.items():
        wide[name] = [_wide(a) for a in given] if isinstance(given, list | tuple) else _wide(given)  # type: ignore[arg-type]
    with np.errstate(all="ignore"):
        return np.asarray(FORMULAS[record](wide, values))


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
