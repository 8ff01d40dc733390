"""A canonical model said in an older opset, node by node.

A node whose older schema says the same is only restamped. What is spelled otherwise goes through an adapter of this
module, a composite operator becomes its function body; whatever is left is refused, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.errors import UnsupportedModel, UsageError
from interlingua.ir import metadata
from interlingua.ir.bodies import expand, inside
from interlingua.ir.edit import add_initializer, constant, forget_names, graph_of, insert_before, replace
from interlingua.ir.older_pooling import round_down
from interlingua.ir.opset import OPSET, compatible, drop_defaults, raise_all, schema_of, typed
from interlingua.ir.opset_adapters import REDUCTIONS, Refused
from interlingua.ir.origin import Constant

OLDEST = 13
_IR_VERSIONS = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}


def check_opset(opset: int) -> None:
    """Refuses opsets that cannot be written.

    Raises:
        UsageError: the opset is not between 13 and the pinned one.
    """
    if not OLDEST <= opset <= OPSET:
        raise UsageError(f"Expected an opset from {OLDEST} to {OPSET}. Received {opset}.")


def expand_composites(model: ir.Model, opset: int) -> bool:
    """Replaces composite operators that the opset lacks by their function bodies; returns whether there were any.

    The bodies compute from shapes what can then be folded, which `lower` needs where it makes an attribute of it.
    """
    check_opset(opset)
    forget_names(model.graph)
    pending = list(model.graph.all_nodes())
    found = False
    while pending:
        node = pending.pop()
        new, old = schema_of(node.op_type, OPSET), schema_of(node.op_type, opset)
        if node.domain != "" or node.graph is None or new is None or node.op_type in ADAPTERS:
            continue
        if old is not None and (old.since_version == new.since_version or _restamped(node, new, old)):
            continue
        created = expand(node, new, OPSET, OPSET)
        if created is not None:
            raise_all(created)
            pending.extend(each for outermost in created for each in (outermost, *inside(outermost)))
            found = True
    for node in model.graph.all_nodes():
        node.version = None
    return found


def _restamped(node: ir.Node, new: onnx.defs.OpSchema, old: onnx.defs.OpSchema) -> bool:
    drop_defaults(node, new, old)
    return compatible(node, old)


def lower(model: ir.Model, opset: int) -> None:
    """Says the model, in place, in that opset.

    Raises:
        UnsupportedModel: nodes that the opset cannot say, all of them named.
        UsageError: the opset is not between 13 and the pinned one.
    """
    check_opset(opset)
    if opset == OPSET:
        return
    forget_names(model.graph)
    refusals: list[str] = []
    for node in list(model.graph.all_nodes()):
        if node.domain != "" or node.graph is None:
            continue
        place = metadata.place(node)
        try:
            _lower(node, opset)
        except Refused as error:
            refusals.append(f"{node.op_type} at {place}: {error}")
    if refusals:
        raise UnsupportedModel(f"Expected operators that opset {opset} can say. Received others:", refusals)
    model.graph.opset_imports[""] = opset
    model.ir_version = _IR_VERSIONS.get(opset, model.ir_version)
    for node in model.graph.all_nodes():
        node.version = None
    common.NameFixPass()(model)


def _lower(node: ir.Node, opset: int) -> None:
    new, old = schema_of(node.op_type, OPSET), schema_of(node.op_type, opset)
    if new is None or (old is not None and old.since_version == new.since_version):
        return
    adapter = ADAPTERS.get(node.op_type)
    if adapter is not None and opset < adapter[0] and adapter[1](node, opset):
        return
    if old is not None and _restamped(node, new, old):
        if not typed(node, old):
            raise Refused(f"opset {opset} has it not for {_types(node)}")
        return
    created = expand(node, new, OPSET, OPSET)
    if created is None:
        raise Refused(_why(node, new, old))
    raise_all(created)
    lower_all(created, opset)


def lower_all(created: Iterable[ir.Node], opset: int) -> None:
    """Brings new nodes, and those of their subgraphs, to the opset."""
    for outermost in created:
        if outermost.graph is None:
            continue
        for each in (outermost, *inside(outermost)):
            each.version = None
            if each.domain == "" and each.graph is not None:
                _lower(each, opset)


def _types(node: ir.Node) -> str:
    kinds = [str(value.dtype) for value in (*node.inputs, *node.outputs) if value is not None and value.dtype]
    return ", ".join(dict.fromkeys(kinds))


def _why(node: ir.Node, new: onnx.defs.OpSchema, old: onnx.defs.OpSchema | None) -> str:
    if old is None:
        first = min(
            each.since_version for each in onnx.defs.get_all_schemas_with_history() if each.name == node.op_type
        )
        return f"the operator came with opset {first}"
    more = [name for name in node.attributes if name not in old.attributes]
    return f"its {', '.join(more)} came later" if more else f"its form changed by opset {new.since_version}"


def _constant(node: ir.Node, index: int, what: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
    """The numbers of an optional input that has to become an attribute; None where it is left out."""
    if len(node.inputs) <= index or node.inputs[index] is None:
        return None
    held = constant(node.inputs[index])
    if held is None:
        raise Refused(f"its {what} are computed, and used to be an attribute")
    return held


def _rank(value: ir.Value | None, what: str) -> int:
    if value is None or value.shape is None:
        raise Refused(f"the rank of its input is unknown, which its {what} need")
    return len(value.shape)


def _number(node: ir.Node, role: str, values: object, dtype: type[np.generic] = np.int64) -> ir.Value:
    stem = f"{node.outputs[0].name}_{role}"
    return add_initializer(graph_of(node), stem, np.asarray(values, dtype), Constant(stem))


_POINTWISE = {"ReduceL1": "Abs", "ReduceL2": "Abs", "ReduceLogSum": "Log", "ReduceSumSquare": "Mul"}


def _reduction(node: ir.Node, opset: int) -> bool:
    axes = _constant(node, 1, "axes")
    empty = axes is None or axes.size == 0
    noop = node.attributes.pop("noop_with_empty_axes", None)
    if empty and noop is not None and noop.as_int():
        alone = _POINTWISE.get(node.op_type, "Identity")  # nothing is reduced; what is done to each number stays
        source = node.inputs[0]
        replace(node, [ir.node(alone, [source, source] if alone == "Mul" else [source])])
        return True
    node.resize_inputs(1)
    if axes is not None and not empty:
        node.attributes["axes"] = ir.AttrInt64s("axes", [int(axis) for axis in axes.reshape(-1)])
    _check(node, opset)
    return True


def _check(node: ir.Node, opset: int) -> None:
    old = schema_of(node.op_type, opset)
    if old is None or not compatible(node, old) or not typed(node, old):
        raise Refused(f"opset {opset} has it not for {_types(node)}")


def _split(node: ir.Node, opset: int) -> bool:
    """Equal parts need no number; a smaller last part is written out."""
    if node.attributes.pop("num_outputs", None) is None:
        return True
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    source, parts = node.inputs[0], len(node.outputs)
    size = None if source is None or source.shape is None else source.shape[axis]
    if not isinstance(size, int):
        raise Refused("the size of the axis it splits is unknown, and its last part may be smaller")
    if size % parts:
        step = -(-size // parts)
        node.resize_inputs(2)
        node.replace_input_with(1, _number(node, "sizes", [*[step] * (parts - 1), size - step * (parts - 1)]))
    return True


def _pad(node: ir.Node, opset: int) -> bool:
    """Pads of some axes become pads of all."""
    if "mode" in node.attributes and node.attributes["mode"].as_string() == "wrap":
        raise Refused("its mode wrap came with opset 19")
    axes = _constant(node, 3, "axes") if opset < 18 else None
    if axes is not None:
        rank = _rank(node.inputs[0], "pads")
        places = [int(axis) % rank for axis in axes.reshape(-1)]
        where = [*places, *(place + rank for place in places)]
        pads = constant(node.inputs[1])
        if pads is not None:
            every = np.zeros(2 * rank, np.int64)
            every[where] = pads
            node.replace_input_with(1, _number(node, "pads", every))
        else:
            nothing, indices = _number(node, "no_pads", np.zeros(2 * rank)), _number(node, "padded_axes", where)
            wide = ir.node("ScatterElements", [nothing, indices, node.inputs[1]], {"axis": 0})
            wide.outputs[0].type = ir.TensorType(ir.DataType.INT64)
            insert_before(node, [wide])
            node.replace_input_with(1, wide.outputs[0])
        node.resize_inputs(3)
    _check(node, opset)
    return True


def _resize(node: ir.Node, opset: int) -> bool:
    """Sizes or scales of some axes become those of all."""
    for name, default in (("antialias", 0), ("keep_aspect_ratio_policy", "stretch")):
        held = node.attributes.get(name)
        if opset < 18 and held is not None and held.value != default:
            raise Refused(f"its {name} came with opset 18")
    mode = node.attributes.get("coordinate_transformation_mode")
    if mode is not None and mode.value == "half_pixel_symmetric" and opset < 19:
        raise Refused("its half_pixel_symmetric came with opset 19")
    axes = node.attributes.get("axes")
    if axes is not None and opset < 18:
        _all_axes(node, [int(axis) for axis in axes.as_ints()])
        node.attributes.pop("axes")
    return False


def _all_axes(node: ir.Node, some: list[int]) -> None:
    source = node.inputs[0]
    rank = _rank(source, "axes")
    places = [axis % rank for axis in some]
    if len(node.inputs) > 1 and node.inputs[1] is not None and node.inputs[1].shape is not None:
        roi = _constant(node, 1, "region")
        if roi is not None and roi.size:
            wide = np.concatenate([np.zeros(rank), np.ones(rank)])
            wide[places], wide[[place + rank for place in places]] = np.split(roi, 2)
            node.replace_input_with(1, _number(node, "region", wide, roi.dtype.type))
    scales = _constant(node, 2, "scales")
    if scales is not None and scales.size:
        every = np.ones(rank, np.float32)
        every[places] = scales
        node.replace_input_with(2, _number(node, "scales", every, np.float32))
    sizes = _constant(node, 3, "sizes")
    if sizes is not None:
        shape = [] if source is None or source.shape is None else list(source.shape)
        rest = [size for axis, size in enumerate(shape) if axis not in places]
        if not all(isinstance(size, int) for size in rest):
            raise Refused("a size of its input is unknown, which its sizes of all axes need")
        numbers = [size if isinstance(size, int) else 0 for size in shape]
        for place, size in zip(places, sizes, strict=True):
            numbers[place] = int(size)
        node.replace_input_with(3, _number(node, "sizes", numbers))


def _dft(node: ir.Node, opset: int) -> bool:
    axis = _constant(node, 2, "axis")
    rank = _rank(node.inputs[0], "axis")
    node.resize_inputs(min(len(node.inputs), 2))
    number = -2 if axis is None else int(axis.reshape(-1)[0])
    node.attributes["axis"] = ir.AttrInt64("axis", number % rank)
    if opset < 17:
        raise Refused("the operator came with opset 17")
    return True


def _grid_sample(node: ir.Node, opset: int) -> bool:
    if opset < 16:
        raise Refused("the operator came with opset 16")
    if _rank(node.inputs[0], "modes") != 4:
        raise Refused("it samples volumes, which came with opset 20")
    mode = node.attributes["mode"].as_string() if "mode" in node.attributes else "linear"
    node.attributes["mode"] = ir.AttrString("mode", {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode))
    _check(node, opset)
    return True


def _roi_align(node: ir.Node, opset: int) -> bool:
    held = node.attributes.pop("coordinate_transformation_mode", None)
    if held is None or held.as_string() != "output_half_pixel":
        raise Refused("its half_pixel came with opset 16")
    _check(node, opset)
    return True


def _shape(node: ir.Node, opset: int) -> bool:
    """Replaces `Shape(x, start, end)` by a Slice of the whole shape."""
    start, end = node.attributes.pop("start", None), node.attributes.pop("end", None)
    first, last = start.as_int() if start is not None else 0, end.as_int() if end is not None else None
    if first == 0 and last is None:
        return False
    whole = ir.node("Shape", [node.inputs[0]])
    bounds = [_number(node, "start", [first]), _number(node, "end", [np.iinfo(np.int64).max if last is None else last])]
    part = ir.node("Slice", [whole.outputs[0], *bounds])
    whole.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    replace(node, [whole, part])
    return True


def _trilu(node: ir.Node, opset: int) -> bool:
    """Replaces `Trilu(x, k)` by `Where(column − row ≥ k, x, 0)`, or ≤ for the lower triangle."""
    source = node.inputs[0]
    dtype = source.dtype if source is not None and source.dtype is not None else ir.DataType.FLOAT
    upper = node.attributes["upper"].as_int() if "upper" in node.attributes else 1
    offset = node.inputs[1] if len(node.inputs) > 1 and node.inputs[1] is not None else _number(node, "diagonal", 0)
    numbers = {
        name: _number(node, name, value) for name, value in (("zero", 0), ("one", 1), ("rows", -2), ("columns", -1))
    }
    shape = ir.node("Shape", [source])
    height = ir.node("Gather", [shape.outputs[0], numbers["rows"]])
    width = ir.node("Gather", [shape.outputs[0], numbers["columns"]])
    rows = ir.node("Range", [numbers["zero"], height.outputs[0], numbers["one"]])
    columns = ir.node("Range", [numbers["zero"], width.outputs[0], numbers["one"]])
    column = ir.node("Unsqueeze", [rows.outputs[0], _number(node, "axes", [1])])
    distance = ir.node("Sub", [columns.outputs[0], column.outputs[0]])
    kept = ir.node("GreaterOrEqual" if upper else "LessOrEqual", [distance.outputs[0], offset])
    nothing = _number(node, "nothing", 0, dtype.numpy().type)
    chosen = ir.node("Where", [kept.outputs[0], source, nothing])
    for each in (shape, height, width, rows, columns, column, distance):
        each.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    replace(node, [shape, height, width, rows, columns, column, distance, kept, chosen])
    return True


def _recurrent(node: ir.Node, opset: int) -> bool:
    held = node.attributes.pop("layout", None)
    if held is not None and held.as_int():
        raise Refused("its layout with the batch first came with opset 14")
    _check(node, opset)
    return True


def _reshape(node: ir.Node, opset: int) -> bool:
    """A zero size is a copied one before `allowzero`; a target without zeros does not care."""
    held = node.attributes.pop("allowzero", None)
    if held is not None and held.as_int():
        target = constant(node.inputs[1])
        if target is None or 0 in target:
            raise Refused("its allowzero came with opset 14")
    _check(node, opset)
    return True


def _batch_normalization(node: ir.Node, opset: int) -> bool:
    held = node.attributes.pop("training_mode", None)
    if held is not None and held.as_int():
        raise Refused("its training_mode came with opset 14")
    _check(node, opset)
    return True


def _cast_like(node: ir.Node, opset: int) -> bool:
    target = node.inputs[1]
    if target is None or target.dtype is None:
        raise Refused("the type it casts to is unknown")
    cast = ir.node("Cast", [node.inputs[0]], {"to": int(target.dtype)})
    cast.outputs[0].type = node.outputs[0].type
    replace(node, [cast])
    _lower(cast, opset)
    return True


Adapter = Callable[[ir.Node, int], bool]

ADAPTERS: dict[str, tuple[int, Adapter]] = {
    **{f"Reduce{name}": (18, _reduction) for name in REDUCTIONS if name != "Sum"},
    **dict.fromkeys(("GRU", "LSTM", "RNN"), (14, _recurrent)),
    **dict.fromkeys(("AveragePool", "MaxPool"), (22, round_down)),
    "BatchNormalization": (14, _batch_normalization),
    "CastLike": (15, _cast_like),
    "DFT": (20, _dft),
    "GridSample": (20, _grid_sample),
    "Pad": (19, _pad),
    "Reshape": (14, _reshape),
    "Resize": (19, _resize),
    "RoiAlign": (16, _roi_align),
    "Shape": (15, _shape),
    "Split": (18, _split),
    "Trilu": (14, _trilu),
}
"""The opset below which an operator is spelled otherwise, and what does it; False leaves the rest to the schema."""
