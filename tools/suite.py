"""Runs the ONNX backend suite through Interlingua: every case to every target, resumable.

    python tools/suite.py                       every case and target, written to docs/results/suite.json
    python tools/suite.py --target torch --only '^test_abs'
    python tools/suite.py --failed --save       those that failed last time, merged into the result

A case counts that onnxruntime passes with its graph optimizations off. Each row of the result is "pass", or the word
why not ("notimpl", "notyet" upstream, "never"), the stage at which it fell and the reason; the words other than
notimpl are stated in suite_words.json. An interrupted run goes on where it stopped, as long as no source has changed.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import os
import pickle
import re
import resource
import selectors
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from suite_cases import Case, Failed, by_onnxruntime, cases, compare, shorten
from suite_targets import TARGETS, Runner

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "suite.json"
WORDS = Path(__file__).with_name("suite_words.json")
CACHE = ROOT / ".cache" / "suite"
ORACLE = "onnxruntime"
SAVE_SECONDS = 20.0
BYTES = 8 << 30

Row = dict[str, Any]


def main() -> int:
    """Runs what is asked for; the exit code is 1 where a chosen case failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression of names of cases; their result is printed")
    parser.add_argument("--failed", action="store_true", help="only those that the result says failed")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="one target; all where unsaid")
    parser.add_argument("--jobs", type=int, default=2, help="how many cases at a time")
    parser.add_argument("--save", action="store_true", help="merge what --only or --failed ran into the result")
    parser.add_argument("--all", action="store_true", help="also cases that onnxruntime does not pass")
    parser.add_argument("--fresh", action="store_true", help="forget an interrupted run")
    parser.add_argument("--keep", type=Path, help="keep what is written for each case in this folder")
    arguments = parser.parse_args()
    known = cases(CACHE)
    result = read_result()
    targets = arguments.target or list(TARGETS)
    part = bool(arguments.only or arguments.failed)
    progress = None if part else CACHE / f"progress-{sources_digest()}.json"
    for other in CACHE.glob("progress-*"):
        if progress and other != progress:
            other.unlink()
    resumed = progress and progress.is_file() and not arguments.fresh
    done = json.loads(progress.read_text()) if progress and resumed else {}
    failures = 0
    for name in targets:
        chosen = [case for case in known.values() if re.search(arguments.only, case.name)]
        rows = result.setdefault("cases", {})
        if arguments.failed:
            chosen = [case for case in chosen if rows.get(case.name, {}).get(name) not in ("pass", None)]
        _ask_oracle(chosen, result, arguments.jobs)
        if part and not arguments.all:
            chosen = [case for case in chosen if rows[case.name][ORACLE] == "pass"]
        finished: dict[str, Any] = done.setdefault(name, {})
        open_cases = [case for case in chosen if case.name not in finished]
        with scratch(arguments.keep) as folder, TARGETS[name].start(folder) as runner:
            saved = time.monotonic()
            for case, outcome in in_forks(open_cases, _attempt(runner, folder), arguments.jobs):
                finished[case.name] = said(name, case, outcome)
                if part:
                    _print(case, finished[case.name])
                elif progress and time.monotonic() - saved > SAVE_SECONDS:
                    _write(progress, json.dumps(done))
                    saved = time.monotonic()
        for case_name, row in finished.items():
            rows[case_name][name] = row
        counted = [row for each, row in finished.items() if rows[each][ORACLE] == "pass"]
        failures += sum(row != "pass" for row in counted)
        if part:
            print(f"{name}: {sum(row == 'pass' for row in counted)} of {len(counted)} pass")
        if not part or arguments.save:
            result["versions"] = {each: version(each) for each in ("onnx", "onnxruntime", "torch")}
            write_result(result)
    if progress:
        progress.unlink(missing_ok=True)
        summary(result, targets)
    return 1 if failures and part else 0


def sources_digest() -> str:
    """Of everything that a result depends on."""
    total = hashlib.sha256(repr(sorted(version(each) for each in ("onnx", "onnxruntime", "torch"))).encode())
    for top in (ROOT / "core", ROOT / "plugins" / "torch", ROOT / "tools"):
        for path in sorted(top.rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()[:16]


def read_result() -> dict[str, Any]:
    """The committed result."""
    return json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {"versions": {}, "cases": {}}


def write_result(result: dict[str, Any]) -> None:
    """Writes the result with one line a case, sorted."""
    rows = [
        f"  {json.dumps(name)}: {json.dumps(row, sort_keys=True, ensure_ascii=False)}"
        for name, row in sorted(result["cases"].items())
    ]
    versions = json.dumps(result["versions"], sort_keys=True)
    _write(RESULT, '{"versions": ' + versions + ', "cases": {\n' + ",\n".join(rows) + "\n}}\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch_file = path.with_name(f"{path.name}.new")
    scratch_file.write_text(text, encoding="utf-8")
    scratch_file.replace(path)


@contextlib.contextmanager
def scratch(kept: Path | None) -> Iterator[Path]:
    """A folder for what is written."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        yield Path(folder)


def _attempt(runner: Runner, scratch_folder: Path) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        folder = scratch_folder / case.name
        folder.mkdir(exist_ok=True)
        try:
            outputs = runner(case, folder)
            for (_, expected), given in zip(case.data, outputs, strict=True):
                compare(case, expected, given)
        except Failed as failure:
            raise Failed(failure.stage, shorten(failure.reason, folder)) from None

    return run


def _oracle(case: Case) -> None:
    """Runs a case in onnxruntime."""
    names = case.inputs()
    for given, expected in case.data:
        try:
            outputs = by_onnxruntime(case.model, dict(zip(names, given, strict=False)))
        except Exception as error:  # onnxruntime's own classes, and RuntimeError
            raise Failed("run", shorten(f"{type(error).__name__}: {error}")) from None
        compare(case, expected, outputs)


def _ask_oracle(chosen: Sequence[Case], result: dict[str, Any], jobs: int) -> None:
    """Finds out which cases onnxruntime passes, where that is not known for these versions."""
    rows = result["cases"]
    stamp = {each: version(each) for each in ("onnx", ORACLE)}
    if not stamp.items() <= result["versions"].items():
        rows.clear()
        result["versions"] = {**result["versions"], **stamp}
    kept = CACHE / f"{ORACLE}-{'-'.join(stamp.values())}.json"
    verdicts: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
    verdicts |= {name: row[ORACLE] for name, row in rows.items() if ORACLE in row}
    unknown = [case for case in chosen if case.name not in verdicts]
    for case, outcome in in_forks(unknown, _oracle, jobs):
        verdicts[case.name] = "pass" if outcome is None else outcome[1]
    if unknown:
        _write(kept, json.dumps(verdicts))
    for case in chosen:
        told = {"operators": case.operators(), "kind": case.kind, ORACLE: verdicts[case.name]}
        rows[case.name] = {**rows.get(case.name, {}), **told}


def in_forks(
    chosen: Iterable[Case], work: Callable[[Case], None], jobs: int
) -> Iterator[tuple[Case, tuple[str, str] | None]]:
    """Runs `work` for each case in a fork of this process: what comes back is None or stage and reason."""
    waiting = list(chosen)[::-1]
    with selectors.DefaultSelector() as selector:
        while waiting or selector.get_map():
            while waiting and len(selector.get_map()) < jobs:
                case = waiting.pop()
                read_end, write_end = os.pipe()
                process = os.fork()
                if process == 0:
                    os.close(read_end)
                    _child(case, work, write_end)
                os.close(write_end)
                selector.register(read_end, selectors.EVENT_READ, (case, process))
            for key, _ in selector.select():
                case, process = key.data
                selector.unregister(key.fd)
                with os.fdopen(key.fd, "rb") as stream:
                    data = stream.read()
                _, status = os.waitpid(process, 0)
                died = ("write", f"the converter died with status {os.waitstatus_to_exitcode(status)}")
                yield case, pickle.loads(data) if data else died


def _child(case: Case, work: Callable[[Case], None], write_end: int) -> None:
    outcome: tuple[str, str] | None = None
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
        work(case)
    except Failed as failure:
        outcome = failure.stage, failure.reason
    except BaseException as error:  # an error of this tool is told, not hidden as a failed case
        outcome = "run", shorten(f"{type(error).__name__}: {error}")
        if type(error).__module__ == "builtins":
            traceback.print_exc()
    with os.fdopen(write_end, "wb") as stream:
        pickle.dump(outcome, stream)
    os._exit(0)


def said(target: str, case: Case, outcome: tuple[str, str] | None) -> Any:
    """The row of an outcome: "pass", or word, stage and reason."""
    if outcome is None:
        return "pass"
    stage, reason = outcome
    for row in json.loads(WORDS.read_text("utf-8")):
        fits = all(re.search(row.get(key, ""), text) for key, text in (("case", case.name), ("reason", reason)))
        if row.get("target", target) == target and fits:
            return {"word": row["word"], "stage": stage, "reason": row["because"]}
    return {"word": "notimpl", "stage": stage, "reason": reason}


def _print(case: Case, row: Any) -> None:
    text = row if isinstance(row, str) else f"{row['word']} at {row['stage']}: {row['reason']}"
    print(f"{case.name}  {text}", flush=True)


def summary(result: dict[str, Any], targets: Sequence[str]) -> None:
    """Prints shares, and failures by operator."""
    rows = {name: row for name, row in result["cases"].items() if row[ORACLE] == "pass"}
    plain = {name: row for name, row in rows.items() if "_expanded" not in name}
    for target in targets:
        groups: dict[str, list[str]] = collections.defaultdict(list)
        for name, row in rows.items():
            if row.get(target) != "pass":
                groups[blamed(row, row.get(target))].append(name)
        for operator, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            print(f"{len(names):5} {operator}: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}")
        for title, group in (("all", rows), ("not expanded", plain)):
            passed = sum(row.get(target) == "pass" for row in group.values())
            print(f"{target}, {title}: {passed} of {len(group)}, {100 * passed / len(group):.1f} %")


def blamed(row: Row, failure: Row | None) -> str:
    """The operator that a failure is put down to: the first refused, else those of the case."""
    if failure is None:
        return "not run"
    refused = re.match(r"(\w+): ", failure["reason"]) if failure["stage"] == "write" else None
    return refused.group(1) if refused else ", ".join(row["operators"][:3])


if __name__ == "__main__":
    sys.exit(main())
