"""Reads what a pickle asks for from its opcodes; nothing of it is executed."""

from __future__ import annotations

import dataclasses
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_PLAIN = frozenset(
    {
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._tensor._rebuild_from_type_v2",
        "torch.Size",
        "torch.serialization._get_layout",
    }
)
_LEGACY_PARTS = 5
"""What torch.save wrote before its archives: a magic number, a version, the system, the object, the storages' keys."""

_TEXTS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"}
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a pickle would import, in order: its first one beyond plain tensors is what the file mainly is."""

    names: tuple[str, ...]

    @property
    def code(self) -> tuple[str, ...]:
        """What is more than dictionaries of tensors."""
        return tuple(name for name in self.names if not _is_plain(name))


def _is_plain(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    return name in _PLAIN or (module == "torch" and attribute.endswith("Storage")) or name.startswith("torch.storage.")


def wanted(path: Path) -> Wanted | None:
    """What the pickle in a PyTorch file would import; None where there is no pickle that can be followed."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                member = next((name for name in archive.namelist() if name.endswith("/data.pkl")), "")
                if not member:
                    return None
                with archive.open(member) as stream:
                    return Wanted(tuple(dict.fromkeys(_imports(stream))))
        with path.open("rb") as file:
            found = [name for _ in range(_LEGACY_PARTS) for name in _imports(file)]
        return Wanted(tuple(dict.fromkeys(found)))
    except Exception:  # pickletools raises whatever a damaged stream leads to
        return None


def _imports(stream: IO[bytes]) -> Iterator[str]:
    """The dotted names that one pickle of the stream imports."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in _TEXTS:
            last = str(argument)
            texts.append(last)
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(argument or 0)] = last
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            last = memo.get(int(argument or 0), "")
            texts.append(last)
        elif opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            yield f"{texts[-2]}.{texts[-1]}"
