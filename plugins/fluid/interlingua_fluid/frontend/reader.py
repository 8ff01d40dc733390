"""Reads a Fluid inference model into the IR, operator by operator, through the cards backwards."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, Unsupported, UsageError
from interlingua.formats.program_desc import LOD_TENSOR, Operator, Program, Variable
from interlingua.notes import Dropped
from interlingua_fluid.frontend.biases import fold_biases
from interlingua_fluid.frontend.folder import open_model
from interlingua_fluid.frontend.graph import Reading, layer_of
from interlingua_fluid.frontend.operators import read_operator


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The inference model as IR; weights stay memory-mapped.

    Raises:
        InvalidSource: the program or its weights are broken, or an operator is in training mode.
        UsageError: a chosen input or output is no variable of the program.
    """
    program, stored = open_model(artifact, options.weights, options.trust)
    feeds = _chosen(program, options.inputs, program.feeds())
    fetches = _chosen(program, options.outputs, [_behind_scale(program, name) for name in program.fetches()])
    operators = program.needed(fetches, feeds)
    fed = {name for op in operators for name in op.reads()} | set(fetches)
    feeds = [name for name in feeds if name in fed]
    reading = Reading(artifact.path.name, program, stored)
    _inputs(reading, feeds, operators, options)
    biases, adds = fold_biases(program, operators, fetches)
    for op in operators:
        if op.index in adds:
            reading.absorbed(op, op.inputs["X"][0])
            continue
        try:
            read_operator(reading, op, biases.get(op.index))
        except Unsupported as refusal:
            raise InvalidSource(
                f"Expected an operator that can be read. Received {op.type}: {refusal}.", place=layer_of(op)
            ) from None
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InvalidSource(
                f"Expected a whole {op.type}. Received one whose inputs, outputs or attributes do not fit it "
                f"({type(error).__name__}: {error}).",
                place=layer_of(op),
            ) from error
    _note_dropped(program, options)
    model = reading.builder.model([(name, reading.value(name)) for name in fetches])
    run = {
        "path": str(artifact.path),
        "format": artifact.format,
        "inputs": feeds,
        "fetch": fetches,
        "graph": str(artifact.files["graph"]),
    }
    weights = options.weights or artifact.files.get("weights")
    return Source(model, artifact, "fluid", run | ({"weights": str(weights)} if weights else {}), options.notes)


def _inputs(reading: Reading, feeds: Sequence[str], operators: Iterable[Operator], options: ReadOptions) -> None:
    """Makes graph inputs of the fed variables.

    Raises:
        UsageError: a variable that nothing computes is not fed, or a given shape does not fit.
        InvalidSource: an operator reads a variable that nothing wrote.
    """
    program = reading.program
    shapes = {(feeds[0] if name == "" and len(feeds) == 1 else name): shape for name, shape in options.shapes.items()}
    for name in shapes:
        if name not in feeds:
            raise UsageError(f"Expected a shape of an input ({', '.join(feeds)}). Received one of {name!r}.")
    for name in feeds:
        variable = program.variables[name]
        if variable.kind != LOD_TENSOR or variable.dtype is None:
            raise InvalidSource("Expected a tensor as an input. Received another kind of variable.", place=name)
        reading.define(name, reading.builder.input(name, _shape(variable, shapes.get(name)), _dtype(variable)))
    written = set(feeds)
    for op in operators:
        for name in op.reads():
            if name in written or (name in program.variables and program.variables[name].persistable):
                continue
            if any(name in other.writes() for other in operators):
                raise InvalidSource(f"Expected {name!r} to be written before it is read.", place=layer_of(op))
            raise UsageError(f"Expected inputs that cut the graph. The outputs also need: {name}.", place=layer_of(op))
        written.update(op.writes())


def _shape(variable: Variable, said: tuple[int | None, ...] | None) -> list[int | None]:
    kept: list[int | None] = [None if size < 0 else size for size in variable.shape]
    if said is None:
        return kept
    if len(said) != len(kept):
        raise UsageError(
            f"Expected {len(kept)} sizes for the input {variable.name!r}. Received {len(said)}: {list(said)}."
        )
    for axis, (size, known) in enumerate(zip(said, kept, strict=True)):
        if None not in (size, known) and size != known:
            raise UsageError(
                f"Expected the size {known} on axis {axis} of the input {variable.name!r}. Received {size}."
            )
    return [known if size is None else size for size, known in zip(said, kept, strict=True)]


def _dtype(variable: Variable) -> ir.DataType:
    assert variable.dtype is not None
    return ir.DataType.from_numpy(variable.dtype)


def _chosen(program: Program, named: Sequence[str], default: Sequence[str]) -> list[str]:
    """The variables a user named, or the program's own.

    Raises:
        UsageError: a name is no variable (near ones are offered), or the program says none itself.
    """
    for name in named:
        if name not in program.variables:
            near = difflib.get_close_matches(name, list(program.variables), n=3)
            raise UsageError(
                f"Expected the name of a variable of the program. Received {name!r}.",
                hint=f"Near ones: {', '.join(near)}." if near else "",
            )
    if not named and not default:
        raise UsageError(
            "Expected a program that says what it is fed and what is fetched. Received one without.",
            hint="Name its inputs and outputs with --inputs and --outputs.",
        )
    return list(named or default)


def _behind_scale(program: Program, fetched: str) -> str:
    """The variable behind the multiplication by one that save_inference_model puts in front of each fetch."""
    for op in reversed(program.blocks[0].operators):
        if fetched in op.writes():
            kept = op.type == "scale" and op.attributes.get("scale") == 1 and op.attributes.get("bias") == 0
            return op.inputs["X"][0] if kept and fetched.startswith("save_infer_model/") else fetched
    return fetched


def _note_dropped(program: Program, options: ReadOptions) -> None:
    if len(program.blocks) > 1:
        options.notes.add(
            Dropped("the program", f"{len(program.blocks) - 1} inner blocks that the outputs do not need")
        )
