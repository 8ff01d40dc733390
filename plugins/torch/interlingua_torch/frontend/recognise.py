"""Recognises what PyTorch saves, by the members of its archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource, UntrustedSource

_PICKLE = b"\x80\x02"


def exported_program(path: Path) -> Artifact | None:
    """A `.pt2` archive of `torch.export.save`; other PyTorch files are named.

    Raises:
        InvalidSource: the archive is damaged, TorchScript, or holds weights alone.
        UntrustedSource: a pickle.
    """
    if not path.is_file():
        return None
    torch_suffix = path.suffix in (".pt", ".pth", ".pt2", ".ckpt", ".tar")
    with path.open("rb") as file:
        head = file.read(4)
    if not head.startswith(b"PK"):
        _check_other(path, head, torch_suffix)
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.partition("/")[2] for name in archive.namelist()]
            damaged = archive.testzip() if path.stat().st_size < 1 << 26 else None
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:  # what zipfile raises on damage
        if torch_suffix:
            raise InvalidSource(f"Expected a PyTorch archive. Received {path.name!r}, damaged: {error}.") from error
        return None
    if "models/model.json" in members:
        if damaged:
            raise InvalidSource(
                f"Expected a whole PyTorch archive. Received {path.name!r}; its {damaged!r} is damaged."
            )
        return Artifact(path, "torch-export", {"graph": path})
    if "constants.pkl" in members or any(member.startswith("code/") for member in members):
        raise InvalidSource(
            f"Expected an exported program. Received TorchScript ({path.name!r}).",
            hint="Export the module with torch.export.save(torch.export.export(module, examples), 'model.pt2').",
        )
    if "data.pkl" in members:
        raise UntrustedSource(
            f"Expected an exported program. Received a pickle ({path.name!r}): a state dict, or a whole module.",
            hint="It holds weights without a graph, or code. Export the module with torch.export.save.",
        )
    return None


def _check_other(path: Path, head: bytes, torch_suffix: bool) -> None:
    if torch_suffix and head.startswith(_PICKLE):
        raise UntrustedSource(
            f"Expected an exported program. Received a pickle ({path.name!r}) of an old PyTorch.",
            hint="Load it where you trust it, and export the module with torch.export.save.",
        )
    if path.suffix == ".pt2":
        raise InvalidSource(f"Expected a .pt2 archive. Received {path.name!r}, which is no archive.")
