"""Layer names that Keras can hold, and the way back to the source's."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HELD = re.compile(r"[A-Za-z0-9_.\-]+")
_FUNCTION = re.compile(r"keras\.(?:ops|activations)\.(\w+)")


class LayerNames:
    """A Keras name for each name of the source: unchanged where it can be, `vgg_16/fc8` as `vgg_16.fc8`.

    `given` leads back. A name that Keras would give to a function by itself is not taken: one model may hold it
    once only.
    """

    def __init__(self, apis: Iterable[str] = ()) -> None:
        functions = {found.group(1) for api in apis if (found := _FUNCTION.fullmatch(api))}
        self._automatic = re.compile(f"({'|'.join(sorted(functions)) or '$^'})(_[0-9]+)?")
        self.given: dict[str, str] = {}

    def take(self, source: str) -> str:
        """A new name for `source`."""
        stem = source if _HELD.fullmatch(source) else re.sub(r"[^A-Za-z0-9_.\-]", "_", source.replace("/", "."))
        name, number = stem or "layer", 1
        while name in self.given or self._automatic.fullmatch(name):
            number += 1
            name = f"{stem}_{number}" if not self._automatic.fullmatch(stem) else f"{stem}_layer_{number}"
        self.given[name] = source
        return name
