"""Runs a case in a real framework: as a model that the backend writes, or as one call of an API."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interlingua import passes, pipeline
from interlingua.artifact import WriteOptions
from interlingua.axes import permutation, rearrange
from interlingua.cards import REQUIRED, Card, Kind, Slot
from interlingua.errors import Unsupported
from interlingua.notes import Notes
from interlingua.plugin import Framework
from interlingua.proof import execute
from interlingua.records import record
from interlingua.tables.calls import Call, fed, model
from interlingua.worker import shared

SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a framework computed, and the APIs it went through, in order."""

    result: np.ndarray[Any, Any]
    apis: tuple[str, ...]


def written(made: Call, framework: Framework, *, runtime: str = "", native: str = "") -> Ran:
    """Writes the one-node model for the framework and runs what was written in the framework's own worker.

    `native` runs the native artifact of that format instead of `model.py`, in `runtime` where one is named.

    Raises:
        UnsupportedModel: the backend refuses the model.
        WorkerFailed: the framework does.
    """
    assert framework.backend is not None
    canonical = passes.run(model(made), notes=Notes())
    with tempfile.TemporaryDirectory(prefix="interlingua-case-") as name:
        folder = Path(name)
        options = WriteOptions(native=native)
        package, _ = pipeline.write(canonical, framework, folder, options, title=f"the case {made.case.name!r}")
        outputs = [port.identifier for port in package.outputs]
        if native or package.native_path:
            told = pipeline.materialise(package, framework, folder, options)
            arguments = {"path": str(folder / str(told["path"])), "format": told["format"], "outputs": outputs}
        else:
            arguments = {"path": str(folder), "format": "python", "outputs": outputs}
        inputs = dict(zip((port.identifier for port in package.inputs), fed(made).values(), strict=True))
        results = execute.run(
            runtime or framework.backend.runtime, inputs, arguments, phase=f"run the case {made.case.name!r}"
        )
        return Ran(results[0], tuple(mapped.api for mapped in package.mapped))


@dataclasses.dataclass(frozen=True)
class Probe:
    """One call of an API as its runtime's `probe` takes it; "$name" stands for an array. `said` are its parameters.

    Functions get their tensors by name, so that the names are proved too.
    """

    api: str
    args: list[Any]
    kwargs: dict[str, Any]
    weights: dict[str, str]
    arrays: dict[str, np.ndarray[Any, Any]]
    said: dict[str, Any]


_BY_NAME = (Kind.FUNCTION, Kind.OPERATOR)


def probe_of(card: Card, made: Call) -> Probe:
    """The case as one call of the card's API, its arrays in the API's own axis order.

    Raises:
        Unsupported: the card cannot say it.
    """
    facts = dataclasses.replace(made.facts, constants=frozenset(made.arrays))
    said = card.lower(facts)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    args: list[Any] = []
    named: dict[str, Any] = {}
    unknown = made.arrays.keys() - card.inputs.keys() - card.weights.keys()
    wanted = {n for n, slot in {**card.inputs, **card.weights}.items() if slot.default is REQUIRED} - made.arrays.keys()
    if unknown or any(card.kind is not Kind.LAYER or name in card.inputs for name in wanted):
        raise Unsupported(f"{card.api} takes other inputs: {', '.join(sorted(unknown or wanted))}")
    for name, slot in card.inputs.items():
        if name not in made.arrays:
            if card.kind not in _BY_NAME:
                args.append(None)
            continue
        keys = []
        for number, array in enumerate(made.arrays[name]):
            key = f"{name}_{number}" if len(made.arrays[name]) > 1 else name
            arrays[key] = turned(card, made, name, slot, array)
            keys.append(f"${key}")
        if card.kind in _BY_NAME and not record(card.record).input(name).variadic:
            named[slot.name] = keys[0]
        else:
            args.append(keys if record(card.record).input(name).variadic else keys[0])
    while args and args[-1] is None:
        args.pop()
    if len(args) > 1 and len({slot.name for slot in card.inputs.values()}) == 1:
        args = [args]  # one parameter that takes a list, as layers that merge do
    weights: dict[str, str] = {}
    for name, slot in card.weights.items():
        if name in made.arrays:
            arrays[name] = turned(card, made, name, slot, made.arrays[name][0])
            weights[slot.name] = name
    if card.kind is not Kind.LAYER and any(slot.default is not REQUIRED for slot in card.inputs.values()):
        said = {k: v for k, v in said.items() if k not in {slot.name for slot in card.inputs.values()}}
    return Probe(card.spelled(facts.rank), args, {**named, **said}, weights, arrays, said)


def turned(card: Card, made: Call, name: str, slot: Slot, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An input or weight in the axis order that the card says."""
    canonical = record(card.record).input(name).axes
    if card.record == "Gemm" and name == "B" and made.values.get("transB"):
        canonical = "O I"
    if card.record == "Gemm" and name == "A" and made.values.get("transA"):
        return array
    if not slot.axes or slot.axes == canonical:
        return array
    if slot.axes == "C":
        return array.reshape(-1)
    if slot.axes == f"{canonical} 1":
        return array[..., None] if array.dtype.kind in "iu" else array
    try:
        if canonical == "N C *":
            return np.ascontiguousarray(array.transpose(permutation(canonical, slot.axes, array.ndim - 2)))
        if "M" in slot.axes:
            sizes = {"I": int(made.values["group"])}
            steps = rearrange("(I M) 1 *", slot.axes, array.shape, sizes)
        else:
            steps = rearrange(canonical, slot.axes, array.shape)
    except ValueError as error:
        raise Unsupported(str(error)) from None
    for step, argument in (("reshape", steps.split), ("transpose", steps.permutation), ("reshape", steps.merge)):
        array = array if argument is None else getattr(array, step)(argument)
    return np.ascontiguousarray(array)


def probed(card: Card, probe: Probe, runtime: str) -> np.ndarray[Any, Any]:
    """What one call of the card's API gives in a runtime, in ONNX's axis order.

    Raises:
        WorkerFailed: the framework could not.
    """
    arguments: Mapping[str, Any] = {
        "api": probe.api,
        "args": probe.args,
        "kwargs": probe.kwargs,
        "weights": probe.weights,
    }
    reply = shared(runtime).call("probe", probe.arrays, phase=f"call {probe.api}", timeout=SECONDS, **arguments)
    return back(card, next(iter(reply.arrays.values())))


def back(card: Card, result: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An API's output in ONNX's axis order."""
    described = record(card.record)
    output = described.outputs[0]
    if card.outputs.get(output.name) == f"{output.axes} 1" and result.shape[-1:] == (1,):
        return result[..., 0]
    if output.axes != "N C *" or result.ndim < 3:
        return result
    data = next(i.name for i in described.inputs if i.axes == "N C *")
    theirs = card.outputs.get(output.name) or (card.inputs[data].axes if data in card.inputs else "") or output.axes
    if theirs == output.axes:
        return result
    return np.ascontiguousarray(result.transpose(permutation(theirs, output.axes, result.ndim - 2)))
