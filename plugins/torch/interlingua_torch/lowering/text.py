"""Text and classical learning: what a tensor can hold. Strings are refused, with the reason."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.decompose import initializer
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_helper, said

_NO_STRINGS = "torch has no tensors of strings"
_REDUCTIONS = ("mean", "sum", "amin", "amax")
_MEMBER = 6


@lowers("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch")
def strings(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Never: torch has no tensors of strings."""
    raise Unsupported(_NO_STRINGS)


def _buffer(context: Context, node: ir.Node, name: str, array: np.ndarray[Any, Any]) -> ast.expr:
    """A table that the model keeps."""
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    return context.tensor(Weight(initializer(graph, f"{node.name}.{name}", array)), trainable=False, hint=name)


def _source(context: Context, node: ir.Node, index: int = 0) -> ast.expr:
    value = node.inputs[index]
    assert value is not None
    if value.dtype == ir.DataType.STRING:
        raise Unsupported(_NO_STRINGS)
    return context.as_tensor(value)


@lowers("TfIdfVectorizer")
def ngrams(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper that compares windows with each n-gram of a pool of numbers."""
    if facts["pool_int64s"] is None:
        raise Unsupported(_NO_STRINGS)
    pool, starts, places = facts["pool_int64s"], facts["ngram_counts"], facts["ngram_indexes"]
    pools: list[ast.expr] = []
    before = 0
    for length, start in enumerate(starts, 1):
        end = starts[length] if length < len(starts) else len(pool)
        count = (end - start) // length
        if count and facts["min_gram_length"] <= length <= facts["max_gram_length"]:
            grams = np.array(pool[start:end], np.int64).reshape(count, length)
            where = np.array(places[before : before + count], np.int64)
            names = (f"grams_{length}", f"places_{length}")
            pair = [_buffer(context, node, name, each) for name, each in zip(names, (grams, where), strict=True)]
            pools.append(ast.Tuple(pair, ast.Load()))
        before += count
    size = max(places) + 1
    keywords = said(max_skip=(facts["max_skip_count"], 0))
    counts = by_helper(context, node, "count_ngrams", [_source(context, node), pools, size], keywords)
    if facts["mode"] == "TF" or (facts["weights"] is None and facts["mode"] == "TFIDF"):
        return counts
    weights = np.ones(size, np.float32)
    for place, weight in zip(places, facts["weights"] or (), strict=False):
        weights[place] = weight
    if facts["mode"] == "IDF":
        counts = expressions.method(counts, "clamp", [], {"max": 1})
    return expressions.operator("*", counts, _buffer(context, node, "weights", weights))


@lowers("ai.onnx.ml::ArrayFeatureExtractor")
def features(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x[..., indices]`."""
    index = ast.Tuple([ast.Constant(...), expressions.method(_source(context, node, 1), "flatten")], ast.Load())
    return ast.Subscript(_source(context, node), index, ast.Load())


@lowers("ai.onnx.ml::Binarizer")
def binarized(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`(x > threshold).to(x.dtype)`."""
    x = _source(context, node)
    above = ast.Compare(x, [ast.Gt()], [expressions.literal(facts.get("threshold", 0.0))])
    return expressions.method(above, "to", [ast.Attribute(x, "dtype", ast.Load())])


def _table(facts: Facts, side: str) -> np.ndarray[Any, Any]:
    kinds = {"int64s": np.int64, "floats": np.float32}
    for kind, dtype in kinds.items():
        if facts.get(f"{side}_{kind}") is not None:
            return np.array(facts[f"{side}_{kind}"], dtype)
    tensor = facts.get(f"{side}_tensor")
    array = None if tensor is None else tensor.numpy()
    if array is None or array.dtype.kind not in "iuf":
        raise Unsupported(_NO_STRINGS)
    return np.asarray(array)


@lowers("ai.onnx.ml::LabelEncoder")
def labels(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper that looks numbers up in a table."""
    keys, values = _table(facts, "keys"), _table(facts, "values")
    kind = "int64" if values.dtype == np.int64 else "float"
    tensor = facts.get("default_tensor")
    default = facts.get(f"default_{kind}", -1 if kind == "int64" else -0.0)
    if tensor is not None:
        default = tensor.numpy().reshape(-1)[0].item()
    tables = [_buffer(context, node, name, each) for name, each in (("keys", keys), ("values", values))]
    return by_helper(context, node, "look_up", [_source(context, node), *tables, default])


@lowers("ai.onnx.ml::TreeEnsemble")
def trees(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper that goes down all trees at once."""
    if facts.get("post_transform", 0):
        raise Unsupported("a transformation after the trees")

    def held(name: str) -> np.ndarray[Any, Any]:
        return np.asarray(facts[name].numpy())

    columns = ("nodes_featureids", "nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs")
    feature, true, true_leaf, false, false_leaf = (np.array(facts[name], np.int64) for name in columns)
    modes = held("nodes_modes").astype(np.int64)
    rows = np.stack((feature, modes, true, true_leaf, false, false_leaf), axis=1)
    splits = held("nodes_splits")
    members = _members(facts, modes, splits.dtype)
    roots = np.array(facts["tree_roots"], np.int64)
    targets = np.array(facts["leaf_targetids"], np.int64)
    named = {
        "roots": roots,
        "nodes": rows,
        "splits": splits,
        "members": members,
        "targets": targets,
        "weights": held("leaf_weights"),
    }
    tables = [_buffer(context, node, name, array) for name, array in named.items()]
    depth = max(_depth(rows, int(root)) for root in roots)
    keywords = said(reduce=(_REDUCTIONS[facts.get("aggregate_function", 1)], "sum"))
    arguments = [_source(context, node), *tables, facts["n_targets"], depth]
    return by_helper(context, node, "tree_ensemble", arguments, keywords)


def _members(facts: Facts, modes: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The values that each node asks for, a row a node, NaN where there are none; a NaN parts those of two nodes."""
    groups: list[list[float]] = [[]]
    values = facts.get("membership_values")
    for value in [] if values is None else values.numpy().tolist():
        if value != value:
            groups.append([])
        else:
            groups[-1].append(value)
    rows = np.full((len(modes), max(map(len, groups)) or 1), np.nan, dtype)
    for row, group in zip(np.flatnonzero(modes == _MEMBER), groups, strict=False):
        rows[row, : len(group)] = group
    return rows


def _depth(rows: np.ndarray[Any, Any], root: int) -> int:
    """How many tests lead from a root to its farthest leaf."""
    level, depth = {root}, 0
    while level:
        depth += 1
        ends = [(rows[node, 2:4], rows[node, 4:6]) for node in level]
        level = {int(place) for pair in ends for place, leaf in pair if not leaf}
        if depth > len(rows):
            raise Unsupported("trees with a cycle")
    return depth
