"""Makes the environments of the legacy runtimes (Python 3.7), as `interlingua env create` does; says what is missing.

A runtime that cannot be had is no error here: the demo shows it as a row, the tests skip it with its reason, and
with CI set in the environment they fail instead.
"""

from __future__ import annotations

import sys

from interlingua import environments, plugin
from interlingua.errors import InterlinguaError

LEGACY = ("fluid", "tensorflow1")


def main() -> int:
    """Makes what is not there yet."""
    made = {entry.name for entry in environments.list_() if entry.whole}
    for name in LEGACY:
        if name in made:
            continue
        try:
            environments.create(plugin.runtime(name), None, force=True)
            print(f"{name}: environment made")
        except InterlinguaError as error:
            print(f"{name}: not made. {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
