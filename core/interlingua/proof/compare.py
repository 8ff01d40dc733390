"""Numeric comparison of two arrays that ought to be the same."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from interlingua.errors import UsageError

Array = np.ndarray[Any, Any]

DEFAULT_TOLERANCE = 1e-4

ROUNDINGS = 4
"""So many units in the last place may part two right results of float16 or bfloat16."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far `name` is from its reference: the largest absolute difference, and that over max|reference|.

    Integers and booleans agree exactly or not at all. `reason` says why arrays cannot be compared at all.
    """

    name: str
    absolute: float
    relative: float
    within: bool
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form `report.json` holds; what is not finite becomes text."""
        said = dataclasses.asdict(self)
        for key in ("absolute", "relative"):
            if not math.isfinite(said[key]):
                said[key] = str(said[key])
        return said


def check_tolerance(tolerance: float) -> float:
    """The tolerance, if it is one.

    Raises:
        UsageError: it is not a number above zero and below one.
    """
    if not 0 < tolerance < 1:
        raise UsageError(f"Expected a relative tolerance above 0 and below 1. Received {tolerance}.")
    return tolerance


def is_floating(array: Array) -> bool:
    """Whether the array holds real numbers, those of ml_dtypes (bfloat16, the float8 family) included."""
    return bool(array.dtype.kind == "f" or (array.dtype.kind == "V" and array.dtype.isbuiltin == 2))


def bound(tolerance: float, dtype: np.dtype[Any]) -> float:
    """The tolerance for numbers of a type: two computations of types with few digits agree to few roundings at best."""
    import ml_dtypes

    floating = dtype.kind == "f" or (dtype.kind == "V" and dtype.isbuiltin == 2)
    return max(tolerance, ROUNDINGS * float(ml_dtypes.finfo(dtype).eps)) if floating else tolerance


def compare(
    name: str, reference: Array, other: Array, tolerance: float = DEFAULT_TOLERANCE, coarse: str = ""
) -> Difference:
    """The difference of `other` from `reference`; relative means max|Δ| / max|reference|.

    Numbers of few digits (float16, bfloat16), or computed from such (`coarse` is their type), agree within a few
    roundings. NaN agrees with NaN and an infinity with the same infinity, at the same place; anything else differs.
    """
    if reference.shape != other.shape:
        return Difference(name, math.inf, math.inf, False, f"shape {other.shape}, expected {reference.shape}")
    if reference.size == 0:
        return Difference(name, 0.0, 0.0, True)
    if reference.dtype.kind in "biu":
        wrong = int(np.count_nonzero(reference != other))
        return Difference(name, float(wrong), wrong / reference.size, wrong == 0, f"{wrong} differ" if wrong else "")
    left, right = reference.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(left)
    odd = ~finite
    if not np.array_equal(left[odd], right[odd], equal_nan=True) or not np.all(np.isfinite(right[finite])):
        return Difference(name, math.inf, math.inf, False, "NaN or infinity at other places")
    if not finite.any():
        return Difference(name, 0.0, 0.0, True)
    absolute = float(np.max(np.abs(left[finite] - right[finite])))
    scale = float(np.max(np.abs(left[finite])))
    relative = absolute / scale if scale else (0.0 if absolute == 0 else math.inf)
    return Difference(
        name, absolute, relative, relative <= bound(tolerance, np.dtype(coarse) if coarse else reference.dtype)
    )
