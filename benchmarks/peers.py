"""Other converters on the same models, each in an environment of its own made from `benchmarks/constraints`."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "benchmarks" / "constraints"
ZOO = ROOT / ".environments" / "zoo" / "bin" / "python"
PATH = ROOT / "tests" / "zoo"
SECONDS = 300
INSTALLING = 1800
NAMES = ("ResNet-50", "MobileNetV2", "BERT-base", "ViT-B/16", "LSTM")
FILES = ("dynamo.onnx", "script.onnx")
"""Today's exporter first; the older one's where a tool does not take that."""


@dataclasses.dataclass(frozen=True)
class Tool:
    """A converter: its name, the framework it writes, and whether it sees the main environment's packages."""

    name: str
    target: str
    environment: str = ""
    shares: bool = False


TOOLS = (
    Tool("interlingua:torch", "PyTorch"),
    Tool("onnx2torch", "PyTorch", "onnx2torch", shares=True),
    Tool("x2paddle", "Paddle", "x2paddle"),
    Tool("interlingua:paddle", "Paddle"),
    Tool("interlingua:keras", "Keras"),
    Tool("onnx2tf", "Keras", "onnx2tf"),
)
"""The quick ones first: time may be short."""


def exported(name: str, folder: Path) -> Path:
    """The folder with a model's ONNX files and data, made once in the zoo's environment."""
    out = folder / "models" / name.replace("/", "-")
    if not (out / "facts.json").is_file():
        run([ZOO, ROOT / "benchmarks" / "models.py", name, out])
    return out


def generated(name: str, folder: Path) -> Path:
    """Interlingua's code for the module in memory, written anew."""
    out = folder / "generated" / name.replace("/", "-")
    out.parent.mkdir(parents=True, exist_ok=True)
    run([ZOO, ROOT / "benchmarks" / "models.py", name, out, "--generate"])
    return out


def interpreter(tool: Tool, folder: Path) -> Path:
    """The tool's Python; its environment is made where it is not there.

    Raises:
        subprocess.CalledProcessError: what it needs cannot be installed.
    """
    if not tool.environment:
        return Path(sys.executable)
    home, wanted = folder / "environments" / tool.environment, CONSTRAINTS / f"{tool.environment}.txt"
    stamp, python = home / "made.txt", home / "bin" / "python"
    if not stamp.is_file() or stamp.read_text() != wanted.read_text():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, symlinks=True, with_pip=True)
        if tool.shares:
            packages = next((home / "lib").glob("python3*")) / "site-packages"
            line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
            (packages / "main_environment.pth").write_text(line)
        run([python, "-m", "pip", "install", "-q", "--no-deps", "-r", wanted], INSTALLING)
        stamp.write_text(wanted.read_text())
    return python


def run(command: list[Any], seconds: float = SECONDS) -> str:
    """What a process prints; it finds the zoo's modules.

    Raises:
        subprocess.SubprocessError: it failed, or took too long.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PATH)}
    done = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=seconds, env=environment
    )
    return done.stdout


def measured(tool: Tool, name: str, folder: Path, seconds: float = SECONDS) -> dict[str, Any]:
    """One row: the tool on today's file, or on the older one where only that comes out right.

    Raises:
        subprocess.TimeoutExpired: no result in time.
    """
    source = exported(name, folder)
    facts = json.loads((source / "facts.json").read_text())
    row = {"model": name, "tool": tool.name, "target": tool.target, "parameters": facts["parameters"]}
    try:
        python = interpreter(tool, folder)
    except (subprocess.CalledProcessError, OSError) as error:
        return {**row, "reason": f"cannot be installed: {type(error).__name__}"}
    tries = {file: attempt(tool, python, source, file, folder, seconds) for file in FILES[:1]}
    if "relative" not in tries[FILES[0]]:
        tries[FILES[1]] = attempt(tool, python, source, FILES[1], folder, seconds)
    best = next((file for file, told in tries.items() if "relative" in told), FILES[0])
    refused = {"refused": tries[FILES[0]]["reason"]} if best != FILES[0] else {}
    return {**row, "file": best, "source permutes": facts["permutes"], **tries[best], **refused}


def attempt(
    tool: Tool, python: Path, source: Path, file: str, folder: Path, seconds: float = SECONDS
) -> dict[str, Any]:
    """One conversion in a process of its own.

    Raises:
        subprocess.TimeoutExpired: no result in time.
    """
    out = folder / "peers" / tool.name.replace(":", "-")
    shutil.rmtree(out, ignore_errors=True)
    script = ROOT / "benchmarks" / "peer.py"
    try:
        told = run([python, script, tool.name, source / file, source / "data.npz", out], seconds)
        found: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
        return found
    except subprocess.CalledProcessError as error:
        return {"reason": f"the process ended with {error.returncode}"}
    finally:
        shutil.rmtree(out, ignore_errors=True)
