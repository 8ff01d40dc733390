"""Converts the zoo: every architecture of tests/zoo to PyTorch code and to an ONNX file, proved; resumable.

Each architecture runs in a process of its own, in the environment that tools/zoo_environment.py makes. Its row is
written to docs/results/zoo.json at once; one whose conversions are proved is not run again unless `--fresh` asks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "zoo.json"
WORK = ROOT / ".cache" / "zoo"
PYTHON = ROOT / ".environments" / "zoo" / "bin" / "python"
TESTS = ROOT / "tests" / "zoo"
SECONDS = 3600.0


def main() -> int:
    """Computes what is missing; the exit code is 1 where a conversion is not proved and no word says why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget earlier rows")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--keep", action="store_true", help="keep what was written, under .cache/zoo")
    arguments = parser.parse_args()
    order = _names()
    only = [name for name in arguments.only.split(",") if name] or order
    for name in only:
        if proved(_rows().get(name, {})) and not arguments.fresh:
            continue
        row = _row(name, keep=arguments.keep)
        print(told(row), flush=True)
        rows = {**_rows(), name: row}  # read again: another run may have written its rows meanwhile
        save({known: rows[known] for known in order if known in rows})
    rows = _rows()
    done = [name for name in order if proved(rows.get(name, {}))]
    print(f"{len(done)} of {len(order)} architectures proved in both directions")
    return 0 if len(done) == len(order) else 1


def _rows() -> dict[str, Any]:
    rows: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    return rows


def proved(row: dict[str, Any]) -> bool:
    """Whether both conversions are proved."""
    return all(row.get(target, {}).get("verdict") == "proved" for target in ("torch", "onnx"))


def told(row: dict[str, Any]) -> str:
    """A line for the screen."""
    parts = [f"{row['name']:28}"]
    for step in ("export", "torch", "onnx"):
        said = row.get(step)
        if said:
            parts.append(f"{step} {said['verdict']} {said.get('relative', said.get('reason', ''))}"[:200])
    for check in ("gradients", "state_dict", "other_batch"):
        said = row.get(check)
        if said:
            parts.append(f"{check} {said.get('agrees', said.get('loads', said.get('reason')))}"[:100])
    parts.append(f"{row.get('lines', '')} lines {sum(row.get('seconds', {}).values()):.0f} s")
    return " | ".join(parts)


def save(rows: dict[str, Any]) -> None:
    """Writes the result, one architecture a line."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    RESULT.write_text(f"{{\n{text}\n}}\n")


def _names() -> list[str]:
    code = "from architectures import ALL; print(*ALL)"
    done = subprocess.run([str(PYTHON), "-c", code], cwd=TESTS, capture_output=True, text=True, check=True)
    return done.stdout.split()


def _row(name: str, *, keep: bool) -> dict[str, Any]:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [str(PYTHON), str(TESTS / "one.py"), name, str(folder)]
    with (folder / "log.txt").open("w") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, timeout=SECONDS, env=_environment()
            ).returncode
            problem = f"the process ended with {code}"
        except subprocess.TimeoutExpired:
            problem = f"more than {SECONDS:.0f} seconds"
    result = folder / "row.json"
    if result.is_file():
        row: dict[str, Any] = json.loads(result.read_text())
    else:
        last = (folder / "log.txt").read_text(errors="replace").strip().splitlines()[-1:]
        row = {"name": name, "export": {"verdict": "failed", "reason": "; ".join([problem, *last])[:600]}}
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return row


def _environment() -> dict[str, str]:
    """Nothing is fetched, and nothing but the project's own folders is written."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "INTERLINGUA_ENVIRONMENTS": str(ROOT / ".environments")}


if __name__ == "__main__":
    sys.exit(main())
