"""Attention that exporters spell: each rule's first sentence is the transformation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.orders import order_of
from interlingua.passes.raising import heads, masks, windows
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_int,
    broadcast,
    maker,
    near,
    new,
    number,
    rank,
    sides,
    sizes_of,
    stated,
    tensor,
)
from interlingua.passes.raising.views import Axis, Builder, size_of, whole


@dataclasses.dataclass
class _Scores:
    """The product of queries and keys, what it is multiplied by, and what masks it; `keep` are Boolean masks."""

    product: ir.Node
    scale: float = 1.0
    bound: float = 0.0
    """The bound of the products, by tanh; 0 for none."""
    added: list[ir.Value] = dataclasses.field(default_factory=list)
    filled: list[tuple[ir.Value, bool, float]] = dataclasses.field(default_factory=list)
    """Condition, whether it is true where scores are kept, and what stands elsewhere."""
    windows: tuple[ir.Value, int | str | None] | None = None
    """Masks added to the scores of each window of an image, and how many images there are."""
    factors: list[tuple[str, ir.Value]] = dataclasses.field(default_factory=list)
    """What queries are multiplied by or divided by beside a number: one factor a head, or a query."""

    @property
    def changed(self) -> bool:
        """Whether anything bounds or masks the scores."""
        return bool(self.bound or self.added or self.filled or self.windows)


def _scores(reading: Reading, value: ir.Value | None, like: ir.Value) -> _Scores | None:
    """The scores down from the Softmax; None where something else is done to them."""
    node = reading.made(value, "MatMul", "Add", "Mul", "Div", "Reshape", "Where")
    if node is None or (value is not like and not reading.alone(value)):
        return None
    if node.op_type == "MatMul":
        return _Scores(node)
    if node.op_type == "Where":
        return _filled(reading, node, like)
    if node.op_type == "Reshape":
        return _by_windows(reading, node, like)
    bounded = _bounded(reading, node, like) if node.op_type == "Mul" else None
    if bounded is not None:
        return bounded
    for inner, other in sides(node) if node.op_type != "Div" else sides(node)[:1]:
        mark = reading.mark()
        factor = stated(other)
        if node.op_type == "Add" and shape_of(other) is not None and rank(other) <= (rank(inner) or 0):  # type: ignore[operator]
            found = _scores(reading, inner, like)
            if found is not None:
                found.added.append(other)
                return found
        elif node.op_type in ("Mul", "Div") and (factor is None or factor > 0):
            found = _scores(reading, inner, like)
            if found is not None and not found.changed:
                if factor is not None:
                    found.scale *= factor if node.op_type == "Mul" else 1 / factor
                    return found
                if _is_of_queries(other, found.product):
                    found.factors.append((node.op_type, other))
                    return found
        reading.back(mark)
    return None


def _bounded(reading: Reading, node: ir.Node, like: ir.Value) -> _Scores | None:
    """The scores below `bound · Tanh(scores / bound)`."""
    for inner, other in sides(node):
        mark, bound = reading.mark(), stated(other)
        curve = reading.made(inner, "Tanh") if bound is not None and bound > 0 and reading.alone(inner) else None
        found = None if curve is None else _scores(reading, curve.inputs[0], like)
        if found is not None and bound is not None and not found.changed:
            found.bound, found.scale = bound, found.scale * bound
            return found
        reading.back(mark)
    return None


def _is_of_queries(factor: ir.Value, product: ir.Node) -> bool:
    """Whether a factor of the scores is the same for all keys, so that queries may have it."""
    shape, asked = sizes_of(factor), sizes_of(product.inputs[0])
    if not shape or asked is None or len(shape) > len(asked) or shape[-1] != 1:
        return False
    pairs = zip(shape, asked[-len(shape) :], strict=True)
    return all(size is not None and size in (1, wanted) for size, wanted in pairs)


def _by_windows(reading: Reading, node: ir.Node, like: ir.Value) -> _Scores | None:
    """The scores below masks of windows."""
    inside = windows.window_masks(reading, node)
    found = None if inside is None else _scores(reading, inside[0], like)
    if inside is None or found is None or found.windows is not None or found.filled:
        return None
    found.windows = inside[1:]
    return found


def _filled(reading: Reading, node: ir.Node, like: ir.Value) -> _Scores | None:
    condition = node.inputs[0]
    for index, other in ((1, 2), (2, 1)):
        fill = number(node.inputs[other])
        if condition is None or fill is None or fill > masks.NEVER:
            continue
        found = _scores(reading, node.inputs[index], like)
        if found is not None:
            found.filled.append((condition, index == 1, fill))
        return found
    return None


def _unscaled(reading: Reading, value: ir.Value | None) -> tuple[ir.Value | None, float]:
    """The value below products with numbers, of one use each, and the number."""
    node = maker(value, "Mul", "Div")
    if node is None or not reading.alone(value):
        return value, 1.0
    for inner, other in sides(node) if node.op_type == "Mul" else sides(node)[:1]:
        factor = stated(other)
        if factor is not None and factor > 0 and (number(other) is not None and (rank(other) or 0) <= 1):
            reading.nodes[node] = None
            deeper, more = _unscaled(reading, inner)
            return deeper, more * (factor if node.op_type == "Mul" else 1 / factor)
    return value, 1.0


def _keys(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, float, list[ir.Node]] | None:
    """The keys whose transpose the value is: with their factor, and a Transpose that is still wanted."""
    inner, factor = _unscaled(reading, value)
    reshaped = _through_reshapes(reading, inner)
    if reshaped is not None:
        source, more = _unscaled(reading, reshaped[0])
        return None if source is None else (source, factor * more, reshaped[1])
    node = maker(inner, "Transpose")
    if node is None or node.inputs[0] is None:
        return None
    order = order_of(node)
    if order is None or len(order) < 3:
        return None
    swapped = (*order[:-2], order[-1], order[-2])
    if reading.alone(inner):
        reading.nodes[node] = None
    if swapped == tuple(range(len(order))):
        source, more = _unscaled(reading, node.inputs[0])
        return None if source is None else (source, factor * more, [])
    shape = shape_of(inner)
    turned = new("Transpose", [node.inputs[0]], {"perm": list(swapped)}, like=inner)
    if shape is not None:
        turned.outputs[0].shape = ir.Shape([*shape[:-2], shape[-1], shape[-2]])
    return turned.outputs[0], factor, [turned]


def _through_reshapes(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, list[ir.Node]] | None:
    """What `Reshape(Transpose(Reshape(X, [-1, S, D]), [0, 2, 1]), […, D, S])` transposes.

    Where the first Reshape is left out, as PyTorch's exporter leaves it out, the node that undoes it is given too.
    """
    mark = reading.mark()
    last = reading.made(value, "Reshape") if reading.alone(value) else None
    middle = None if last is None else reading.made(last.inputs[0], "Transpose")
    inner = None if middle is None or order_of(middle) != (0, 2, 1) else middle.inputs[0]
    inside, after = sizes_of(inner), sizes_of(value)
    if inner is not None and inside and after and len(after) > 2 and inside[1:] == (after[-1], after[-2]):
        wanted = (*after[:-2], *inside[1:])
        first = maker(inner, "Reshape")
        if first is not None and first.inputs[0] is not None and sizes_of(first.inputs[0]) == wanted:
            reading.nodes[first] = None
            return first.inputs[0], []
        entries = [size if isinstance(size, int) else -1 for size in wanted]
        if entries.count(-1) <= 1:
            shape = tensor(reading.root, "heads", np.asarray(entries, np.int64))
            nodes = [new("Reshape", [inner, shape], like=inner, shape=wanted)]
            return nodes[0].outputs[0], nodes
    reading.back(mark)
    return None


def attention(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `MatMul(Softmax(scale · MatMul(Q, Transpose(K)) + mask), V)` by `Attention(Q, K, V, mask)`.

    The scale may stand on queries, keys or scores, a factor for each head or query on the scores; masks are added or
    filled in, a bound by tanh stands below them; heads repeated for groups of queries become grouped attention.
    Shifted windows, each with a mask of its own, become heads. A row that is masked whole is NaN in the spelling and
    zeros in the operator, so masks that are not known to be finite are taken only where the source guards against NaN,
    or the mask is a constant that leaves something in each row. Parts in between that are used elsewhere, or a Dropout
    there, keep the spelling.
    """
    weights, value = node.inputs[0], node.inputs[1]
    guarded, count = _guarded(reading, weights), rank(value)
    softmax = reading.made(guarded or weights, "Softmax")
    if (
        softmax is None
        or value is None
        or count is None
        or count < 3
        or rank(weights) != count
        or softmax.inputs[0] is None
    ):
        return None
    if attribute_int(softmax, "axis", -1) not in (-1, count - 1):
        return None
    found = _scores(reading, softmax.inputs[0], softmax.inputs[0])
    if found is None:
        return None
    query, first = _unscaled(reading, found.product.inputs[0])
    keys = _keys(reading, found.product.inputs[1])
    if query is None or keys is None or rank(query) != count or rank(keys[0]) != count:
        return None
    key, second, extra = keys
    made = list(extra)
    for op, factor in found.factors:
        scaled = new(op, [query, factor], like=query)
        made.append(scaled)
        query = scaled.outputs[0]
    said = _masked(node, reading, found, guarded is not None)
    if said is None:
        return None
    attributes, mask, more = said
    made.extend(more)
    groups = None if extra or count != 4 else heads.grouped(reading, key, value)
    if groups is not None:
        key, value = groups
    if not _fits(query, key, value, softmax.inputs[0], mask if found.windows is None else None):
        return None
    size, scale = (shape_of(query) or (None,))[-1], found.scale * first * second
    if not isinstance(size, int) or not near(scale, 1 / math.sqrt(size), query):
        attributes["scale"] = scale
    attributes |= {"softcap": found.bound} if found.bound else {}
    operands = [query, key, value, mask]
    if found.windows is not None:
        inner = windows.with_windows(node, operands, attributes, found.windows[1])
        return None if inner is None else [*made, *inner]
    if count == 4:
        return [*made, new("Attention", operands, attributes, like=node.outputs[0])]
    return (_lifted if count == 3 else _folded)(node, operands, attributes, made)


def _lifted(
    node: ir.Node, operands: Sequence[ir.Value | None], attributes: dict[str, object], made: list[ir.Node]
) -> list[ir.Node]:
    """`Squeeze(Attention(Unsqueeze(Q), Unsqueeze(K), Unsqueeze(V)))`: values without heads have one."""
    builder = Builder(node)
    axis = builder.numbers("heads", [1])
    lifted: list[ir.Value | None] = []
    for each in operands:
        shape = shape_of(each)
        if each is None or shape is None or len(shape) < 3:
            lifted.append(each)
        else:
            lifted.append(builder.add("Unsqueeze", [each, axis], {}, (shape[0], 1, *shape[1:])))
    shape = shape_of(node.outputs[0]) or (None, None, None)
    inner = new("Attention", lifted, attributes, like=node.outputs[0], shape=[shape[0], 1, *shape[1:]])
    return [*made, *builder.nodes, inner, new("Squeeze", [inner.outputs[0], axis], like=node.outputs[0])]


def _folded(
    node: ir.Node, operands: Sequence[ir.Value | None], attributes: dict[str, object], made: list[ir.Node]
) -> list[ir.Node] | None:
    """`Reshape(Attention(Reshape(Q), Reshape(K), Reshape(V)))`: the axes in front of the heads are one."""
    builder, mask = Builder(node), operands[3]
    lifted: list[ir.Value | None] = []
    for each in operands[:3]:
        view = None if each is None else whole(each)
        wide = None if view is None else builder.reshape(view.base, view.axes, _joined(view.axes))
        if wide is None:
            return None
        lifted.append(wide)
    shape = shape_of(mask)
    if mask is not None and shape is not None and len(shape) > 3:
        if {*shape[:-3]} != {1}:
            return None
        axes = builder.numbers("axes", range(len(shape) - 3))
        mask = builder.add("Squeeze", [mask, axes], {}, shape[-3:])
    view = whole(node.outputs[0])
    if view is None:
        return None
    inner = new("Attention", [*lifted, mask], attributes, like=node.outputs[0])
    joined = _joined(view.axes)
    inner.outputs[0].shape = ir.Shape([size_of(axis) for axis in joined])
    builder.nodes.append(inner)
    if builder.reshape(inner.outputs[0], joined, view.axes) is None:
        return None
    return [*made, *builder.nodes]


def _joined(axes: Sequence[Axis]) -> list[Axis]:
    return [[factor for axis in axes[:-3] for factor in axis], *axes[-3:]]


def _guarded(reading: Reading, value: ir.Value | None) -> ir.Value | None:
    """What `Where(IsNaN(X), 0, X)` guards."""
    mark = reading.mark()
    node = reading.made(value, "Where")
    test = None if node is None else reading.made(node.inputs[0], "IsNaN")
    if node is not None and test is not None and number(node.inputs[1]) == 0 and test.inputs[0] is node.inputs[2]:
        return node.inputs[2]
    reading.back(mark)
    return None


def _masked(
    node: ir.Node, reading: Reading, found: _Scores, guarded: bool
) -> tuple[dict[str, object], ir.Value | None, list[ir.Node]] | None:
    """The attributes and the mask that say what is masked, and the nodes that make the mask."""
    attributes: dict[str, object] = {}
    made: list[ir.Node] = []
    terms: list[ir.Value] = []
    for value in found.added:
        mark = reading.mark()
        if masks.is_causal(value) or (reading.alone(value) and masks.is_grown_causal(reading, value)):
            attributes["is_causal"] = 1
            continue
        reading.back(mark)
        if not guarded and not masks.is_finite(value) and not masks.masks_no_row(value):
            return None
        terms.append(value)
    for condition, keeps, fill in found.filled:
        if not math.isfinite(fill) and not guarded:
            return None
        if not math.isfinite(fill) and not terms and len(found.filled) == 1:
            if keeps:
                return attributes, condition, made
            turned = new("Not", [condition], like=condition)
            return attributes, turned.outputs[0], [turned]
        like = found.product.outputs[0]
        if like.dtype is None:
            return None
        numbers = [
            tensor(node, f"{node.outputs[0].name}_{stem}", np.asarray(n, like.dtype.numpy()))
            for stem, n in (("kept", 0), ("masked", fill))
        ]
        shape = shape_of(condition)
        chosen = [condition, *(numbers if keeps else numbers[::-1])]
        where = new("Where", chosen, like=like, shape=shape)
        if shape is None:
            where.outputs[0].shape = None
        made.append(where)
        terms.append(where.outputs[0])
    if found.windows is not None:
        kept = found.windows[0]
        if not guarded and not masks.is_finite(kept) and not masks.masks_no_row(kept):
            return None
        builder = Builder(node)
        terms.append(windows.by_windows(builder, kept))
        made.extend(builder.nodes)
    while len(terms) > 1:
        total = new("Add", terms[:2], like=terms[0])
        joined = broadcast(sizes_of(terms[0]), sizes_of(terms[1]))
        total.outputs[0].shape = None if joined is None else ir.Shape(joined)
        made.append(total)
        terms[:2] = [total.outputs[0]]
    return attributes, terms[0] if terms else None, made


def _fits(query: ir.Value, key: ir.Value, value: ir.Value, scores: ir.Value, mask: ir.Value | None) -> bool:
    """Whether the operator takes these: one batch, whole groups of heads, a mask over all keys that widens nothing."""
    shapes = [sizes_of(each) for each in (query, key, value, scores)]
    if any(shape is None for shape in shapes):
        return False
    asked, kept, given, table = (shape for shape in shapes if shape is not None)
    lead = max(len(asked) - 3, 1)
    if None in asked[:lead] or not asked[:lead] == kept[:lead] == given[:lead]:
        return False
    if len(asked) > 3:
        heads = asked[-3], kept[-3], given[-3]
        if not all(isinstance(each, int) for each in heads) or heads[1] != heads[2] or heads[0] % heads[1]:  # type: ignore[operator]
            return False
    if mask is None:
        return True
    shape = sizes_of(mask)
    if shape is None or not shape or len(shape) > len(table) or shape[-1] is None or shape[-1] != kept[-2]:
        return False
    wanted = (*asked[:-1], kept[-2])[len(table) - len(shape) :]
    return all(size in (1, want) and size is not None for size, want in zip(shape, wanted, strict=True))


RULES: Mapping[str, Sequence[Rule]] = {"MatMul": (attention,)}
