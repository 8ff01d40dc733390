"""Fluid inference models on disk: which files they are, and their weights, memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource, UntrustedSource
from interlingua.formats.lod_tensor import StoredTensor, read_stream
from interlingua.formats.program_desc import Program, read_program

GRAPH, WEIGHTS = "__model__", "__params__"
SEPARATE, COMBINED = "fluid", "fluid-combined"
_PADDLE_2 = 2_000_000


def recognise(path: Path) -> Artifact | None:
    """The inference model at `path`: its folder, its program file, its weights file or its prefix.

    Raises:
        InvalidSource: weights without a program, a program of another kind under Fluid's name, or of Paddle 2.
    """
    graph = _graph(path)
    if graph is None:
        return None
    if not _is_program(graph):
        if graph.name != GRAPH:
            return None
        read_program(graph)
        raise InvalidSource(
            "Expected a Fluid program. Received a protocol-buffer message of another kind.", place=str(graph)
        )
    program = read_program(graph)
    if program.version >= _PADDLE_2:
        raise InvalidSource(
            f"Expected a program of Fluid 1.x. Received one that Paddle {spelled(program.version)} wrote.",
            place=str(graph),
            hint="Load it with Paddle and save it again with paddle.jit.save, which Paddle 3 writes as `.json`.",
        )
    weights, combined = _weights(graph, program)
    saved = program.saved()
    files = {"graph": graph} | ({"weights": weights} if weights else {})
    facts = {"version": program.version, "missing": () if weights or not saved else tuple(saved)}
    return Artifact(path, COMBINED if combined else SEPARATE, files, facts)


def open_model(
    artifact: Artifact, weights: Path | None = None, trust: bool = False
) -> tuple[Program, Mapping[str, StoredTensor]]:
    """The program and where its weights lie, each checked against its variable; nothing is loaded.

    `weights` names a folder of variables or a combined file to take instead of what was found beside the program.

    Raises:
        InvalidSource: weights are missing, or differ from their variables in shape or type.
        UntrustedSource: a variable's name leads out of the folder, and `trust` is not said.
    """
    program = read_program(artifact.files["graph"])
    names = program.saved()
    place = weights or artifact.files.get("weights")
    if not names:
        return program, {}
    if place is None:
        raise InvalidSource(
            f"Expected the weights of {len(names)} variables beside the program ({_shortened(names)}). Received none.",
            place=str(artifact.files["graph"]),
            hint="Say where they are with --weights: a folder of variables, or one combined file.",
        )
    stored = _read_folder(place, names, trust) if place.is_dir() else read_stream(place, names)
    for tensor in stored:
        _check(program, tensor)
    return program, {tensor.name: tensor for tensor in stored}


def _graph(path: Path) -> Path | None:
    """The program's file that `path` speaks of, None where it speaks of none."""
    if path.is_dir():
        if (path / GRAPH).is_file():
            return path / GRAPH
        models = sorted(path.glob("*.pdmodel"))
        if len(models) == 1:
            return models[0]
        _refuse_weights_alone(path)
        return None
    if not path.exists():
        prefixed = path.with_name(path.name + ".pdmodel")
        return prefixed if prefixed.is_file() else None
    if path.name == WEIGHTS:
        if (path.parent / GRAPH).is_file():
            return path.parent / GRAPH
        raise InvalidSource(
            f"Expected a Fluid inference model. Received `{WEIGHTS}` alone; the program `{GRAPH}` is not beside it.",
            place=str(path),
            hint="Save again with fluid.io.save_inference_model, which writes both.",
        )
    if path.name == GRAPH or _is_program(path):
        return path
    return None


def _refuse_weights_alone(folder: Path) -> None:
    """Names a folder of weights without a program as what it is."""
    if (folder / WEIGHTS).is_file():
        raise InvalidSource(
            f"Expected a Fluid inference model. Received a folder with `{WEIGHTS}` and without the program `{GRAPH}`.",
            place=str(folder),
            hint="Save again with fluid.io.save_inference_model, which writes both.",
        )
    files = [file for file in sorted(folder.iterdir()) if file.is_file()][:64]
    if files and all(_is_stream(file) and not file.suffix == ".pdiparams" for file in files):
        raise InvalidSource(
            f"Expected a Fluid inference model. Received a folder of variables without the program `{GRAPH}`, as "
            "fluid.io.save_params and save_persistables write it.",
            place=str(folder),
            hint="Save again with fluid.io.save_inference_model.",
        )


def _weights(graph: Path, program: Program) -> tuple[Path | None, bool]:
    """Where the weights lie (a folder or a combined file), and whether they are combined."""
    folder, names = graph.parent, program.saved()
    for candidate in (folder / WEIGHTS, graph.with_suffix(".pdiparams")):
        if candidate.is_file() and candidate != graph:
            return candidate, True
    if not names or any((folder / name).is_file() for name in names):
        return folder, False
    others = [file for file in sorted(folder.iterdir()) if file.is_file() and file != graph and _is_stream(file)]
    return (others[0], True) if len(others) == 1 else (None, False)


def _read_folder(folder: Path, names: list[str], trust: bool) -> list[StoredTensor]:
    """The tensors of a folder with a file for each variable (a `/` in a name is a folder of its own)."""
    root = folder.resolve()
    for name in names:
        if not trust and not (folder / name).resolve().is_relative_to(root):
            raise UntrustedSource(
                f"Expected variables inside the folder. Received the name {name!r}, which leads out of it.",
                place=str(folder),
                hint="Say --trust if you know where the model comes from.",
            )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InvalidSource(
            f"Expected a file for each of {len(names)} variables. Received none for {_shortened(missing)}.",
            place=str(folder),
        )
    return [read_stream(folder / name, [name])[0] for name in names]


def _check(program: Program, tensor: StoredTensor) -> None:
    """Holds a tensor against its variable: the same type, and the same shape where the variable's is known."""
    variable = next(b.variables[tensor.name] for b in program.blocks if tensor.name in b.variables)
    if len(variable.shape) == len(tensor.shape) and all(
        want in (-1, got) for want, got in zip(variable.shape, tensor.shape, strict=True)
    ):
        if variable.dtype in (None, tensor.dtype):
            return
        raise InvalidSource(f"Expected {variable.dtype} elements. Received {tensor.dtype}.", place=tensor.name)
    raise InvalidSource(
        f"Expected the shape {list(variable.shape)}. Received {list(tensor.shape)}.",
        place=f"{tensor.name} in {tensor.path}",
        hint="The weights may belong to another program.",
    )


def _is_program(path: Path) -> bool:
    """Whether the bytes begin as a ProgramDesc does: a block whose index is 0 and whose parent comes next."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:1] != b"\x0a":
        return False
    end = next((i for i in range(1, len(head)) if head[i] < 0x80), len(head))
    return head[end + 1 : end + 4] == b"\x08\x00\x10"


def _is_stream(path: Path) -> bool:
    """Whether the bytes begin as a tensor without LoD does."""
    with path.open("rb") as file:
        head = file.read(21)
    return len(head) == 21 and head[:16] == bytes(16) and head[20] == 8


def spelled(version: int) -> str:
    """A program's version as people write it: 1008005 is 1.8.5."""
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
