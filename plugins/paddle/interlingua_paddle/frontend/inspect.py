"""What `interlingua inspect` shows of a saved Paddle program."""

from __future__ import annotations

import math

from interlingua.artifact import Artifact, Inspection, Layer
from interlingua_paddle.frontend import pir
from interlingua_paddle.frontend.fold import fold

CONSTANTS = frozenset({"pd_op.full", "pd_op.full_int_array", "pd_op.assign_value_", "builtin.combine"})


def inspect(artifact: Artifact) -> Inspection:
    """The program's layers (constants left out), with the weights each takes for the first time."""
    program = pir.load(artifact.files["graph"])
    values = program.values()
    weights = {parameter.value.number: parameter for parameter in program.parameters}
    layers: list[Layer] = []
    for operator in fold(program):
        if operator.name in CONSTANTS:
            continue
        taken = [weights.pop(number) for number in dict.fromkeys(operator.inputs) if number in weights]
        name = taken[0].name.rpartition(".")[0] if taken else ""
        output = _shape(operator.outputs[0].shape) if operator.outputs else ""
        count = sum(_elements(parameter.value) for parameter in taken)
        name = name or operator.label
        layers.append(Layer(program.layers.get(name, name), operator.name, output, count))
    missing: tuple[str, ...] = ()
    if program.parameters and "weights" not in artifact.files:
        missing = (f"the weights, {artifact.files['graph'].with_suffix('.pdiparams').name}",)
    return Inspection(
        format=artifact.format,
        title=f"Paddle program, PIR version {program.version}",
        inputs=tuple(_port(name, value) for name, value in program.inputs.items()),
        outputs=tuple(_port(name, values[number]) for name, number in program.outputs.items()),
        layers=tuple(layers),
        parameters=sum(_elements(parameter.value) for parameter in program.parameters),
        missing=missing,
    )


def _elements(value: pir.Value) -> int:
    return math.prod(size or 0 for size in value.shape or ())


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "×".join("?" if size is None else str(size) for size in shape or ())


def _port(name: str, value: pir.Value) -> str:
    return f"{name}: {value.dtype} {_shape(value.shape)}"
