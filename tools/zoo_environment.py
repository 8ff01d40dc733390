"""Makes the environment of the zoo: torchvision, timm and transformers beside the main environment's PyTorch.

It is an environment of its own that sees the main one's packages through a `.pth` file: torch is installed once.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints-zoo.txt"
FOLDER = ROOT / ".environments" / "zoo"


def main() -> int:
    """Makes or completes the environment; the marker is written last, so that an interrupted one is made again."""
    venv.create(FOLDER, symlinks=True)
    packages = FOLDER / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    main_packages = sysconfig.get_path("purelib")
    (packages / "main_environment.pth").write_text(f"import site; site.addsitedir({main_packages!r})\n")
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps", "-r", str(CONSTRAINTS)]
    code = subprocess.run(command).returncode
    if not code:
        requirements = CONSTRAINTS.read_text().split()
        facts = {"runtime": "zoo", "python": platform.python_version(), "requirements": requirements}
        (FOLDER / "interlingua.json").write_text(json.dumps(facts, indent=2) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
