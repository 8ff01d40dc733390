"""All architectures of the zoo, in the order of its page."""

from __future__ import annotations

import torchvision_shim  # noqa: F401  (before the libraries)
import zoo_own
import zoo_timm
import zoo_torchvision
import zoo_transformers
from zoo_rows import Architecture

ALL: dict[str, Architecture] = {
    row.name: row for row in (*zoo_torchvision.ROWS, *zoo_timm.ROWS, *zoo_transformers.ROWS, *zoo_own.ROWS)
}
