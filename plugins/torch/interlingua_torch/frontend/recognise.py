"""Recognises what PyTorch saves, by the members of its archives, and names of factories."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource
from interlingua_torch.frontend.pickles import wanted

PROGRAM, SCRIPT, PICKLE, FACTORY, MODULE = (
    "torch-export",
    "torchscript",
    "torch-pickle",
    "torch-factory",
    "torch-module",
)
_PICKLE = b"\x80\x02"
_SUFFIXES = (".pt", ".pth", ".pt2", ".ckpt", ".tar", ".bin")
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def recognise(path: Path) -> Artifact | None:
    """An exported program, TorchScript, a pickled module, or the name of a factory; None for what is not PyTorch's.

    Raises:
        InvalidSource: the archive is damaged, or holds weights alone.
    """
    if not path.exists():
        return Artifact(path, FACTORY) if _FACTORY.fullmatch(str(path)) else None
    if not path.is_file():
        return None
    ours = path.suffix in _SUFFIXES
    with path.open("rb") as file:
        head = file.read(4)
    if not head.startswith(b"PK"):
        if ours and head.startswith(_PICKLE):
            return _pickled(path)
        if path.suffix == ".pt2":
            raise InvalidSource(f"Expected a .pt2 archive. Received {path.name!r}, which is no archive.")
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.partition("/")[2] for name in archive.namelist()]
            damaged = archive.testzip() if path.stat().st_size < 1 << 26 else None
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:  # what zipfile raises on damage
        if ours:
            raise InvalidSource(f"Expected a PyTorch archive. Received {path.name!r}, damaged: {error}.") from error
        return None
    known = "models/model.json" in members, "constants.pkl" in members, "data.pkl" in members
    if any(known) and damaged:
        raise InvalidSource(f"Expected a whole PyTorch archive. Received {path.name!r}; its {damaged!r} is damaged.")
    if known[0]:
        return Artifact(path, PROGRAM, {"graph": path})
    if known[1] or any(member.startswith("code/") for member in members):
        return Artifact(path, SCRIPT, {"graph": path})
    return _pickled(path) if known[2] else None


def _pickled(path: Path) -> Artifact:
    """A pickle, by what it would import.

    Raises:
        InvalidSource: it holds weights without a graph, or cannot be followed.
    """
    found = wanted(path)
    if found is None:
        raise InvalidSource(f"Expected a PyTorch file. Received a damaged pickle ({path.name!r}).")
    if not found.code:
        raise InvalidSource(
            f"Expected a model. Received a state dict ({path.name!r}): weights without a graph.",
            hint=f"Name what makes the module: interlingua convert package.module:factory --weights {path.name}",
        )
    return Artifact(path, PICKLE, {"graph": path}, {"classes": found.code})


def accepts(value: object) -> bool:
    """Whether a value is a module or an exported program of PyTorch, by the names of its classes."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
    return bool(names & {"torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"})
