"""Puts what commands really print into the README: everything between the markers of a generated block."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"(<!-- output of `(?P<command>[^`]+)` -->\n```\n).*?(```\n<!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """The text with every generated block filled anew."""
    return _BLOCK.sub(lambda m: m.group(1) + _output(m.group("command")) + m.group(3), text)


def _output(command: str) -> str:
    words = [sys.executable, "-m", *command.split()]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=README.parent).stdout


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
