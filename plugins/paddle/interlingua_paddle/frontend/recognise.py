"""Which files are a saved Paddle program, and what a file is that only looks like one."""

from __future__ import annotations

import re
from pathlib import Path

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource, UntrustedSource
from interlingua_paddle.frontend import pir

_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_HEAD = 512


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def recognise(path: Path) -> Artifact | None:
    """The artifact of a program saved by `paddle.jit.save`: a `.json`, its `.pdiparams`, their prefix or their folder.

    Raises:
        InvalidSource: weights without their program, several programs in a folder, a legacy program.
        UntrustedSource: a pickled state dict, which holds no program and runs code when it is loaded.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        return _prefix(path)
    if path.suffix in (".pdparams", ".pdopt") and _PICKLE.match(_head(path)):
        raise UntrustedSource(
            f"Expected a saved program. Received {path.name!r}, a pickled state dict: it runs code when it is loaded "
            "and holds weights without a program.",
            hint="Load it into its model in Paddle and save both with paddle.jit.save(model, prefix, input_spec=[…]).",
        )
    if path.suffix == ".pdmodel":
        raise _legacy(path)
    if path.suffix == ".pdiparams":
        return _weights(path)
    return _program(path) if pir.is_pir(_head(path)) else None


def _program(path: Path) -> Artifact:
    weights = path.with_suffix(".pdiparams")
    files = {"graph": path} | ({"weights": weights} if weights.is_file() else {})
    return Artifact(path, "paddle", files)


def _prefix(prefix: Path) -> Artifact | None:
    """The program `prefix.json`; the prefix itself may hold dots."""
    program = prefix.with_name(f"{prefix.name}.json")
    if program.is_file() and pir.is_pir(_head(program)):
        return _program(program)
    legacy = prefix.with_name(f"{prefix.name}.pdmodel")
    if legacy.is_file():
        raise _legacy(legacy)
    weights = prefix.with_name(f"{prefix.name}.pdiparams")
    return _weights(weights) if weights.is_file() else None


def _weights(path: Path) -> Artifact:
    program = path.with_suffix(".json")
    if program.is_file() and pir.is_pir(_head(program)):
        return _program(program)
    if path.with_suffix(".pdmodel").is_file():
        raise _legacy(path.with_suffix(".pdmodel"))
    raise InvalidSource(
        f"Expected a program with its weights. Received {path.name!r}, weights alone, which are kept without names.",
        place=str(path),
        hint=f"Put its program, {program.name!r}, beside it; paddle.jit.save writes both.",
    )


def _folder(path: Path) -> Artifact | None:
    programs = [file for file in sorted(path.glob("*.json")) if pir.is_pir(_head(file))]
    if len(programs) == 1:
        return _program(programs[0])
    if programs:
        raise InvalidSource(
            f"Expected one program in {str(path)!r}. Received {len(programs)}: {', '.join(p.name for p in programs)}.",
            hint="Name one of them.",
        )
    for pattern in ("*.pdiparams", "*.pdparams"):
        for file in sorted(path.glob(pattern)):
            return recognise(file)
    return None


def _legacy(path: Path) -> InvalidSource:
    return InvalidSource(
        f"Expected a PIR program (`.json`, Paddle 3). Received {path.name!r}, a ProgramDesc of Paddle 2 or Fluid.",
        place=str(path),
        hint="What Fluid 1.x wrote, the plugin `fluid` reads (pip install interlingua-fluid); else load it in Paddle "
        "and save it again with paddle.jit.save.",
    )
