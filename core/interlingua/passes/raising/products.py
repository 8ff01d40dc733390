"""Products that exporters reshape around, reshapes for nothing: each rule's first sentence is the transformation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir.edit import bypass, is_initializer
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved
from interlingua.passes.raising.reading import Reading, Rule, home, new, rank, sides, sizes_of


def kept_sizes(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(X)` to the sizes that X has by X; the number of elements settles one that is not known."""
    source, before, after = node.inputs[0], shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if source is None or before is None or after is None or len(before) != len(after) or 0 in after:
        return None
    if sum(one is None or one != other for one, other in zip(before, after, strict=True)) <= 1:
        bypass(node, source)
    return None


def of_rows(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(MatMul(Reshape(X, [-1, K]), W), […, M])` by `MatMul(X, W)` for X with the sizes `[…, K]`.

    So TensorFlow's dense layers and tensordots come, and Paddle's `mul`, which flattens. The operator broadcasts a
    matrix over all axes in front.
    """
    product = reading.made(node.inputs[0], "MatMul")
    first = None if product is None else reading.made(product.inputs[0], "Flatten", "Reshape")
    source = None if first is None else first.inputs[0]
    if product is None or source is None or rank(product.inputs[1]) != 2:
        return None
    before, rows, after = sizes_of(source), sizes_of(product.inputs[0]), sizes_of(node.outputs[0])
    table = sizes_of(product.inputs[1])
    if before is None or rows is None or after is None or table is None or len(rows) != 2:
        return None
    if len(before) != len(after) or len(before) < 2 or before[-1] != rows[-1] or not isinstance(before[-1], int):
        return None
    if after[-1] != table[-1] or not isinstance(after[-1], int) or 0 in (after[-1], before[-1]):
        return None
    pairs = list(zip(before[:-1], after[:-1], strict=True))
    unlike = sum(one != other or one is None for one, other in pairs)
    if unlike > 1 or any(0 in pair for pair in pairs):  # the number of elements settles one
        return None
    made = new("MatMul", [source, product.inputs[1]], like=node.outputs[0], shape=[*before[:-1], after[-1]])
    return [made]


def bias_of_parts(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(MatMul(X, W), […, heads, size]) + bias` by `Reshape(MatMul(X, W) + bias, […, heads, size])`.

    The bias is a weight of (heads, size); so Keras' dense layers into heads come.
    """
    for inner, bias in sides(node):
        mark = reading.mark()
        parted, given = reading.made(inner, "Reshape"), known(shape_of(bias))
        product = None if parted is None else reading.made(parted.inputs[0], "MatMul")
        if parted is not None and product is not None and is_initializer(bias) and given and len(given) > 1:
            before, after = sizes_of(product.outputs[0]), sizes_of(inner)
            whole = math.prod(given)
            if before and after and before[-1] == whole and list(after[-len(given) :]) == given:
                flat = moved(home(node), bias, [("reshape", (whole,))])
                again = new("MatMul", product.inputs, like=product.outputs[0])  # beside the sum, as one layer
                total = new("Add", [again.outputs[0], flat], like=product.outputs[0])
                return [again, total, new("Reshape", [total.outputs[0], parted.inputs[1]], like=node.outputs[0])]
        reading.back(mark)
    return None


RULES: Mapping[str, Sequence[Rule]] = {"Add": (bias_of_parts,), "Reshape": (kept_sizes, of_rows)}
