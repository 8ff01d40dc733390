"""What `interlingua inspect` shows of a Fluid inference model."""

from __future__ import annotations

import math

from interlingua.artifact import Artifact, Inspection, Layer
from interlingua.formats.program_desc import Operator, Program, Variable, read_program
from interlingua_fluid.frontend.folder import spelled
from interlingua_fluid.frontend.graph import layer_of, output_of


def inspect(artifact: Artifact) -> Inspection:
    """The program's operators, each with the parameters it takes for the first time.

    Raises:
        InvalidSource: the file is no ProgramDesc.
    """
    program = read_program(artifact.files["graph"])
    saved = {name: program.variables[name] for name in program.saved() if name in program.variables}
    left = dict(saved)
    layers = [
        _layer(program, op, [left.pop(name) for name in dict.fromkeys(op.reads()) if name in left])
        for op in program.blocks[0].operators
        if op.type not in ("feed", "fetch")
    ]
    missing = artifact.facts.get("missing", ())
    return Inspection(
        format=artifact.format,
        title=f"Fluid program, version {spelled(program.version)}",
        inputs=tuple(_port(program, name) for name in program.feeds()),
        outputs=tuple(_port(program, name) for name in program.fetches()),
        layers=tuple(layers),
        parameters=sum(_elements(variable) for variable in saved.values()),
        missing=(f"the weights of {len(missing)} variables",) if missing else (),
    )


def _layer(program: Program, op: Operator, weights: list[Variable]) -> Layer:
    output = program.variables.get(output_of(op))
    return Layer(layer_of(op), op.type, _shape(output) if output else "", sum(map(_elements, weights)))


def _elements(variable: Variable) -> int:
    return math.prod(max(size, 0) for size in variable.shape)


def _shape(variable: Variable) -> str:
    return "×".join("?" if size < 0 else str(size) for size in variable.shape)


def _port(program: Program, name: str) -> str:
    variable = program.variables.get(name)
    return name if variable is None else f"{name}: {variable.dtype} {_shape(variable)}"
