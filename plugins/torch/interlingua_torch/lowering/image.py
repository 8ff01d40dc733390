"""Images: resizing, sampling at places, regions and boxes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, is_constant, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards, by_helper
from interlingua_torch.lowering.terms import number_of, source

_INTERPOLATE = "torch.nn.functional.interpolate"
_MODES = {"linear": {3: "linear", 4: "bilinear", 5: "trilinear"}, "cubic": {4: "bicubic"}}
_PILLOW = -0.5
_OURS = -0.75
_LEAST_RANK, _MOST_RANK = 3, 5


@lowers("Resize")
def resize(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.interpolate(x, scale_factor=2, mode="bilinear")` where that places and weighs pixels alike, else a helper."""
    given = {name: values[0] for name, values in inputs_of(node).items()}
    data = given["X"]
    shape = shape_of(data)
    axes = facts["axes"]
    if axes is None:
        if shape is None:
            raise Unsupported("all axes of an input with an unknown number of them")
        axes = list(range(len(shape)))
    elif shape is not None:
        axes = [axis % len(shape) for axis in axes]
    sizes, scales = _sizes(context, given), _scales(facts, given)
    if sizes is None and scales is None:
        return _by_helper(context, node, facts, given, axes)
    named = _as_interpolation(context, facts, data, axes, sizes, scales)
    if named is not None:
        call = expressions.call(context.api(_INTERPOLATE), [source(context, node)], named)
        context.note_mapping(node, _INTERPOLATE, call)
        return call
    return _by_helper(context, node, facts, given, axes)


def _sizes(context: Context, given: Mapping[str, ir.Value]) -> list[ast.expr] | None:
    """The new sizes as expressions, None where there are none or they are a tensor."""
    value = given.get("sizes")
    if value is None or shape_of(value) == (0,):
        return None
    return context.sizes.entries(value)


def _scales(facts: Facts, given: Mapping[str, ir.Value]) -> list[float] | None:
    scales = facts.values.get("scales")
    if not scales:
        return None
    value = given["scales"]
    assert value.const_value is not None
    return [float(number) for number in value.const_value.numpy().reshape(-1)]


def _as_interpolation(
    context: Context,
    facts: Facts,
    data: ir.Value,
    axes: Sequence[int],
    sizes: list[ast.expr] | None,
    scales: list[float] | None,
) -> dict[str, Any] | None:
    """The arguments of `F.interpolate`, None where it would give something else."""
    shape = shape_of(data)
    if shape is None or not _LEAST_RANK <= len(shape) <= _MOST_RANK or facts["keep_aspect_ratio_policy"] != "stretch":
        return None
    if data.dtype is None or not data.dtype.is_floating_point():
        return None
    spatial = range(2, len(shape))
    grown: dict[int, Any] = dict(zip(axes, scales if scales is not None else sizes or [], strict=True))
    for axis in (0, 1):
        if axis in grown and not _stays(context, data, axis, grown[axis]):
            return None
    news = [_new_size(old, grown.get(axis, 1.0)) for axis, old in enumerate(shape)]
    how = _mode(
        facts,
        [shape[axis] for axis in spatial],
        [news[axis] for axis in spatial],
        scales and [float(grown.get(axis, 1.0)) for axis in spatial],
    )
    if how is None:
        return None
    if scales is not None:
        factors = [_plainly(grown.get(axis, 1.0)) for axis in spatial]
        return {"scale_factor": factors[0] if len(set(factors)) == 1 else tuple(factors), **how}
    told = [grown[axis] if axis in grown else context.size(data, axis) for axis in spatial]
    numbers = [number_of(size) for size in told]
    factor = _factor([shape[axis] for axis in spatial], numbers)
    if factor is not None:
        return {"scale_factor": factor, **how}
    return {"size": tuple(told), **how}


def _factor(old: Sequence[Any], new: Sequence[int | None]) -> int | None:
    """The whole number by which every side grows, if there is one."""
    if not all(isinstance(size, int) and size for size in (*old, *new)):
        return None
    factors = {(b or 0) // a if (b or 0) % a == 0 else 0 for a, b in zip(old, new, strict=True)}
    return next(iter(factors)) if len(factors) == 1 and 0 not in factors else None


def _plainly(scale: Any) -> int | float:
    number = float(scale)
    return int(number) if number == int(number) else float(str(np.float32(number)))


def _stays(context: Context, data: ir.Value, axis: int, grown: Any) -> bool:
    """Whether an axis keeps its size."""
    if isinstance(grown, float):
        return grown == 1.0
    return ast.unparse(grown) == ast.unparse(context.size(data, axis))


def _new_size(old: int | str | None, grown: Any) -> int | None:
    if isinstance(grown, ast.expr):
        return number_of(grown)
    return int(np.floor(np.float32(old) * np.float32(grown))) if isinstance(old, int) else None


def _mode(
    facts: Facts, old: Sequence[Any], new: Sequence[int | None], scales: Sequence[float] | None
) -> dict[str, Any] | None:
    """How `F.interpolate` says the mode: None where it cannot."""
    places = facts["coordinate_transformation_mode"]
    whole = scales is None or _exact(old, new, scales)
    if places == "half_pixel_symmetric" and whole:
        places = "half_pixel"
    if places == "pytorch_half_pixel" and 1 not in new:
        places = "half_pixel"
    if facts["mode"] == "nearest":
        return _nearest(places, facts["nearest_mode"], old, new, scales)
    mode = _MODES[facts["mode"]].get(len(old) + 2)
    if mode is None or places not in ("half_pixel", "align_corners"):
        return None
    named: dict[str, Any] = {"mode": mode}
    coefficient = facts["cubic_coeff_a"]
    if places == "align_corners":
        if facts["antialias"]:
            return None
        named["align_corners"] = True
    if facts["antialias"]:
        fits = mode == "bilinear" or (mode == "bicubic" and coefficient == _PILLOW)
        return {**named, "antialias": True} if fits and facts["exclude_outside"] else None
    if facts["exclude_outside"] or (mode == "bicubic" and coefficient != _OURS):
        return None
    return named


def _exact(old: Sequence[Any], new: Sequence[int | None], scales: Sequence[float]) -> bool:
    """Whether the scales give the new sizes without a rest."""
    return all(
        (isinstance(before, int) and before * scale == after) or scale == int(scale)
        for before, after, scale in zip(old, new, scales, strict=True)
    )


def _nearest(
    places: str, rule: str, old: Sequence[Any], new: Sequence[int | None], scales: Sequence[float] | None
) -> dict[str, Any] | None:
    """`nearest` takes the floor of a pixel's corner, `nearest-exact` that of its centre."""
    grows = _whole_factors(old, new, scales)
    rounds = rule.startswith("round")
    if places == "asymmetric" and rule == "floor":
        return {}
    if places == "half_pixel" and rounds and grows:
        return {}
    if places == "half_pixel" and rule == "round_prefer_ceil":
        return {"mode": "nearest-exact"}
    numbers = [*old, *new]
    if places in ("asymmetric", "half_pixel") and all(isinstance(each, int) and each for each in numbers):
        for mode, shift in (("nearest", 0.0), ("nearest-exact", 0.5)):
            if _same_pixels(places, rule, old, new, scales, shift):
                return {} if mode == "nearest" else {"mode": mode}
    return None


def _whole_factors(old: Sequence[Any], new: Sequence[int | None], scales: Sequence[float] | None) -> bool:
    if scales is not None:
        return all(scale == int(scale) for scale in scales)
    return all(isinstance(a, int) and b is not None and a and b % a == 0 for a, b in zip(old, new, strict=True))


def _same_pixels(
    places: str, rule: str, old: Sequence[Any], new: Sequence[Any], scales: Sequence[float] | None, shift: float
) -> bool:
    """Whether torch's rule picks the pixels that ONNX's does, for the sizes at hand."""
    for number, (before, after) in enumerate(zip(old, new, strict=True)):
        scale = np.float32(after / before if scales is None else scales[number])
        at = np.arange(after, dtype=np.float32)
        wanted = at / scale if places == "asymmetric" else (at + np.float32(0.5)) / scale - np.float32(0.5)
        rounding = {"floor": np.floor, "ceil": np.ceil}.get(rule)
        if rounding is not None:
            picked = rounding(wanted)
        else:
            half = np.float32(0.5)
            picked = np.ceil(wanted - half) if rule == "round_prefer_floor" else np.floor(wanted + half)
        theirs = np.floor((at + np.float32(shift)) * np.float32(1 / scale))
        if not np.array_equal(picked.clip(0, before - 1), theirs.clip(0, before - 1)):
            return False
    return True


def _by_helper(
    context: Context, node: ir.Node, facts: Facts, given: Mapping[str, ir.Value], axes: Sequence[int]
) -> ast.expr:
    """The helper's call, which says only what is not its default."""
    mode = facts["mode"]
    said: dict[str, Any] = {}
    scales, sizes = given.get("scales"), given.get("sizes")
    rows: Sequence[int] = range(len(axes))
    if sizes is not None and shape_of(sizes) != (0,):
        entries = context.sizes.entries(sizes)
        data_shape = shape_of(given["X"])
        if entries is not None and data_shape is not None and facts["keep_aspect_ratio_policy"] == "stretch":
            rows = [
                row
                for row in rows
                if number_of(entries[row]) is None or number_of(entries[row]) != data_shape[axes[row]]
            ]
        said["sizes"] = context.python(sizes) if entries is None else [entries[row] for row in rows]
    elif scales is not None:
        numbers = context.python(scales)
        if is_constant(scales) and facts["coordinate_transformation_mode"] != "tf_crop_and_resize":
            assert scales.const_value is not None
            told = [_plainly(each) for each in scales.const_value.numpy().reshape(-1)]
            rows = [row for row in rows if told[row] != 1]
            said["scales"] = [told[row] for row in rows]
        else:
            said["scales"] = numbers
    else:
        raise Unsupported("neither scales nor sizes")
    if facts["coordinate_transformation_mode"] == "tf_crop_and_resize":
        rows = range(len(axes))
        if "sizes" in said and isinstance(said["sizes"], list):
            assert sizes is not None
            said["sizes"] = context.python(sizes)
        said["roi"] = context.python(given["roi"])
        if facts["extrapolation_value"]:
            said["outside"] = facts["extrapolation_value"]
    defaults: dict[str, tuple[str, Any]] = {
        "mode": ("mode", "nearest"),
        "coordinate_transformation_mode": ("places", "half_pixel"),
        "keep_aspect_ratio_policy": ("keep_aspect", "stretch"),
    }
    if mode == "nearest":
        defaults["nearest_mode"] = ("nearest", "round_prefer_floor")
    else:
        defaults |= {"antialias": ("antialias", 0), "exclude_outside": ("exclude_outside", 0)}
    if mode == "cubic":
        defaults["cubic_coeff_a"] = ("cubic_coefficient", _OURS)
    for name, (argument, default) in defaults.items():
        if facts[name] != default:
            said[argument] = bool(facts[name]) if isinstance(default, int) else facts[name]
    return by_helper(context, node, "resize", [source(context, node), [axes[row] for row in rows]], said)


@lowers("GridSample")
def grid_sample(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.grid_sample(x, grid, align_corners=False)`."""
    return by_cards(context, node, facts)


@lowers("AffineGrid")
def affine_grid(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.affine_grid(theta, (batch, 3, 32, 32), align_corners=False)`."""
    api = "torch.nn.functional.affine_grid"
    size = inputs_of(node)["size"][0]
    entries = context.sizes.entries(size)
    told = context.python(size) if entries is None else ast.Tuple(entries, ast.Load())
    named = {"align_corners": bool(facts["align_corners"])}
    call = expressions.call(context.api(api), [source(context, node), told], named)
    context.note_mapping(node, api, call)
    return call


@lowers("RoiAlign")
def roi_align(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper, since torch itself has none."""
    said = {
        "scale": (facts["spatial_scale"], 1.0),
        "samples": (facts["sampling_ratio"], 0),
        "shift": (0.5 if facts["coordinate_transformation_mode"] == "half_pixel" else 0.0, 0.5),
        "mode": (facts["mode"], "avg"),
    }
    named = {name: value for name, (value, default) in said.items() if value != default}
    size = (facts["output_height"], facts["output_width"])
    return by_helper(context, node, "roi_align", [*(source(context, node, i) for i in range(3)), size], named)


@lowers("MaxRoiPool")
def max_roi_pool(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper, since torch itself has none."""
    arguments = [source(context, node), source(context, node, 1), tuple(facts["pooled_shape"]), facts["spatial_scale"]]
    return by_helper(context, node, "max_roi_pool", arguments)


@lowers("NonMaxSuppression")
def non_max_suppression(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper, since torch itself has none."""
    most = _number(context, node, "max_output_boxes_per_class")
    overlap = _number(context, node, "iou_threshold")
    least = _number(context, node, "score_threshold")
    named: dict[str, Any] = {
        "overlap": overlap,
        "least_score": least,
        "centered": bool(facts["center_point_box"]) or None,
    }
    said = {name: value for name, value in named.items() if value is not None}
    arguments = [source(context, node), source(context, node, 1), 0 if most is None else most]
    return by_helper(context, node, "non_max_suppression", arguments, said)


def _number(context: Context, node: ir.Node, name: str) -> Any:
    """The one number that an input holds, None where it is absent."""
    value = next(iter(inputs_of(node).get(name, ())), None)
    if value is None:
        return None
    if value.const_value is not None:
        number = value.const_value.numpy().reshape(-1)[0].item()
        return number if isinstance(number, int) else float(str(np.float32(number)))
    if context.sizes.holds(value):
        return context.integers(value)[0]
    return expressions.method(context.ref(value), "item")


@lowers("ImageDecoder")
def image_decoder(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Refuses: torch itself decodes no images."""
    raise Unsupported("PyTorch has no decoder of images (torchvision and Pillow have)")
