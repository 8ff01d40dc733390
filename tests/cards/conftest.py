"""Makes the helpers importable, and gives the tests cards that may be changed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cards"))

from card_changes import change_card  # noqa: F401  (a fixture)
