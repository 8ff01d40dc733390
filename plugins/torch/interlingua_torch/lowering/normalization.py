"""Normalizations whose weights the model computes, whose statistics are results too, or that drop at random."""

from __future__ import annotations

import ast
import math
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, is_called
from interlingua.codegen.parts import is_read, unpack
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.edit import constant
from interlingua.ir.facts import inputs_of, is_constant, known, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api, by_cards, by_helper, said, tensors, without

LAYER = "torch.nn.functional.layer_norm"
ROOT_MEAN_SQUARE = "torch.nn.functional.rms_norm"
INSTANCES = "torch.nn.functional.instance_norm"
STATISTICS = "torch.native_layer_norm"

_LARGEST = 1 << 16


def _extra(node: ir.Node) -> bool:
    """Whether anything reads more than the first output."""
    return any(is_read(output) for output in node.outputs[1:])


@lowers("BatchNormalization")
def batch(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """The card's layer or call; a helper where new running statistics are results."""
    if not facts["training_mode"] or not _extra(node):
        return by_cards(context, node, facts)
    arguments = tensors(context, node, "X", "scale", "B", "input_mean", "input_var")
    keywords = said(momentum=(facts["momentum"], 0.9), eps=(facts["epsilon"], 1e-5))
    unpack(context, node, by_helper(context, node, "batch_norm_training", arguments, keywords), "x", "mean", "var")
    return None


def _of_shape(value: ir.Value | None, shape: list[int] | None) -> bool:
    return value is None or (shape is not None and known(shape_of(value)) == shape)


def _is_neutral(context: Context, value: ir.Value | None, number: float) -> bool:
    """Whether a weight that nobody trains is this number everywhere, or absent."""
    if value is None:
        return True
    array = constant(value, _LARGEST) if is_constant(value) and not is_trained(value) else None
    return array is not None and bool((array == number).all())


@lowers("LayerNormalization", "RMSNormalization")
def over_last_axes(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`nn.LayerNorm` with trained weights; a function where the model computes them or reads the statistics.

    Weights that the source has under other names, or in another form (`1 + weight`), are given to the function too.
    """
    source, scale, *rest = node.inputs
    assert source is not None and scale is not None
    if source.shape is None:
        raise Unsupported("normalization over the last axes of an unknown number")
    bias = rest[0] if rest else None
    last = facts["axis"] - len(source.shape) if facts["axis"] >= 0 else facts["axis"]
    sizes = known((shape_of(source) or ())[last:])
    whole = _of_shape(scale, sizes) and _of_shape(bias, sizes)
    own = all(_is_own(context, value, key) for value, key in ((scale, "weight"), (bias, "bias")) if value is not None)
    if whole and own and not _extra(node):
        return by_cards(context, node, without(facts, "axis", "stash_type"))
    if _is_neutral(context, scale, 1) and _is_neutral(context, bias, 0):
        scale = bias = None
        whole = True
    x = context.as_tensor(source)
    shape: Any = tuple(sizes) if sizes is not None else _last_sizes(x, last)
    weight, added = (None if value is None else context.as_tensor(value) for value in (scale, bias))
    if _extra(node):
        if not whole or node.op_type != "LayerNormalization":
            raise Unsupported("statistics of a normalization whose scale is broadcast")
        call = by_api(context, node, STATISTICS, [x, shape, weight, added, facts["epsilon"]])
        unpack(context, node, call, "x", "mean", "rstd")
        return None
    keywords = said(weight=(weight if whole else None, None), bias=(added if whole else None, None))
    layer = node.op_type == "LayerNormalization"
    keywords |= said(eps=(facts["epsilon"], 1e-5 if layer else None))
    call = by_api(context, node, LAYER if layer else ROOT_MEAN_SQUARE, [x, shape], keywords)
    if whole or weight is None:
        return call
    scaled = expressions.operator("*", call, weight)
    return scaled if added is None else expressions.operator("+", scaled, added)


def _is_own(context: Context, value: ir.Value, key: str) -> bool:
    """Whether a layer can own the weight, under the name that it has in the source's state."""
    if not is_constant(value) or not is_trained(value):
        return False
    return not context.dialect.keeps_state or is_called(Weight(value), key)


def _last_sizes(source: ast.expr, axis: int) -> ast.expr:
    shape = ast.Attribute(source, "shape", ast.Load())
    return ast.Subscript(shape, ast.Slice(expressions.literal(axis)), ast.Load())


@lowers("GroupNormalization", "InstanceNormalization")
def over_channels(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's layer or call; the statistics are computed in at least float32 either way.

    A scale of ones and a bias of zeros that nobody trains are left out where there is a call that can do without.
    """
    given = [value for values in inputs_of(node).values() for value in values]
    _check_counts(node, facts)
    if node.op_type == "GroupNormalization" or len(given) != 3:
        return by_cards(context, node, without(facts, "stash_type"))
    source, scale, bias = given
    weight = None if _is_neutral(context, scale, 1) else scale
    added = None if _is_neutral(context, bias, 0) else bias
    if weight is not None and added is not None:
        return by_cards(context, node, facts)
    tensors_said = {"weight": weight, "bias": added}
    keywords = {name: context.as_tensor(value) for name, value in tensors_said.items() if value is not None}
    return by_api(context, node, INSTANCES, [context.as_tensor(source)], keywords | said(eps=(facts["epsilon"], 1e-5)))


def _check_counts(node: ir.Node, facts: Facts) -> None:
    """Refuses what PyTorch's functions refuse as they run: one number alone has no deviation.

    Raises:
        Unsupported: a channel of one element, or groups of one in a batch of one.
    """
    sizes = known(shape_of(node.inputs[0]))
    if sizes is None:
        return
    grouped = node.op_type == "GroupNormalization"
    count = math.prod(sizes) // facts["num_groups"] if grouped else math.prod(sizes[2:])
    if count == 1:
        raise Unsupported("statistics of one number")


@lowers("MeanVarianceNormalization")
def mean_and_variance(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper of three calls."""
    return by_helper(context, node, "mean_variance_norm", [*tensors(context, node, "X"), list(facts["axes"])])


@lowers("LRN")
def across_channels(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's call for odd windows; a helper for even ones, which torch places one channel lower."""
    if facts["size"] % 2:
        return by_cards(context, node, facts)
    keywords = said(alpha=(facts["alpha"], 1e-4), beta=(facts["beta"], 0.75), k=(facts["bias"], 1.0))
    return by_helper(context, node, "local_response_norm", [*tensors(context, node, "X"), facts["size"]], keywords)


@lowers("Dropout")
def dropped(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`nn.Dropout`; a helper where the mask is a result, or where the model itself says that it trains."""
    if not facts.computed and not facts.get("training_mode") and not _extra(node):
        return by_cards(context, node, without(facts, "seed"))
    given = inputs_of(node)
    keywords: dict[str, Any] = {}
    for name, keyword, default in (("ratio", "p", 0.5), ("training_mode", "training", False)):
        if name in facts.computed:
            keywords[keyword] = expressions.method(context.ref(given[name][0]), "item")
        elif facts[name] != default:
            keywords[keyword] = facts[name]
    call = by_helper(context, node, "dropout", tensors(context, node, "data"), keywords)
    unpack(context, node, call, "x", "mask")
    return None
