"""Lets the tests here import the graphs that the tests of passes share."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "passes"))
