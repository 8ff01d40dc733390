"""Makes the environments of the legacy runtimes (Python 3.7), as `interlingua env create` does; says what is missing.

A runtime that cannot be had is no error here: the demo shows it as a row, the tests skip it with its reason, and
with CI set in the environment they fail instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from interlingua import environments, plugin
from interlingua.errors import InterlinguaError

LEGACY = ("fluid", "tensorflow1")


def main() -> int:
    """Makes what is not there yet; the stamp (first argument) is left where nothing is missing."""
    made = {entry.name for entry in environments.list_() if entry.whole}
    for name in LEGACY:
        if name in made:
            continue
        try:
            environments.create(plugin.runtime(name), None, force=True)
            made.add(name)
            print(f"{name}: environment made")
        except InterlinguaError as error:
            print(f"{name}: not made. {error}", file=sys.stderr)
    if made >= set(LEGACY) and len(sys.argv) > 1:
        Path(sys.argv[1]).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
