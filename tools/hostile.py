"""Malformed and malicious ONNX files: each is converted or refused by an error of ours, in bounded time and memory.

    python tools/hostile.py [--count 1200] [--seed 7] [--out docs/results/hostile.json]

Half of the files are sound models with bytes flipped, cut, repeated or spliced, a quarter are models whose parsed
fields were changed, and the rest are crafted against a weakness that readers have had. A verdict is "converted",
"refused" (an error of ours), or a finding: "traceback" (any other exception), "crash", "hang", "memory", "escape" (a
file outside the output).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from hostile_files import Hostile, crafted, mutated

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "hostile.json"
SECONDS = 30.0
MEMORY = 3 << 30
"""Bytes of address space that a reader may take beyond what it has when it starts."""

FINE = ("converted", "refused")


def files(count: int, seed: int) -> Iterator[Hostile]:
    """All crafted files, and as many mutated ones as are missing to `count`."""
    made = list(crafted())
    yield from made
    yield from mutated(max(count - len(made), 0), random.Random(seed))


def outcome(case: Hostile, folder: Path) -> tuple[str, str]:
    """The verdict on one file, and what was said; runs in a child process."""
    from interlingua import pipeline, plugin
    from interlingua.errors import InterlinguaError

    inside, out = folder / "inside", folder / "out"
    inside.mkdir(parents=True)
    out.mkdir()
    path = case.write(inside)
    before = _listing(folder, out)
    try:
        source = pipeline.read(path)
        pipeline.write(source.model, plugin.framework("onnx"), out)
        verdict, said = "converted", ""
    except InterlinguaError as error:
        verdict, said = "refused", f"{type(error).__name__}: {error}"
    except MemoryError as error:
        verdict, said = "memory", repr(error)
    except BaseException as error:
        verdict, said = "traceback", f"{type(error).__name__}: {error}"
    if _listing(folder, out) != before:
        return "escape", said
    return verdict, said.encode("utf-8", "replace").decode()


def _listing(folder: Path, out: Path) -> dict[str, str]:
    """Every file beside the output with a digest of its bytes, but pipes and devices."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_relative_to(out) and path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _serve(pipe: Connection, cases: list[Hostile], folder: Path) -> None:
    import interlingua.pipeline  # noqa: F401  (before memory is counted)

    with open("/proc/self/statm", encoding="ascii") as stream:
        pages = int(stream.read().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for index, case in enumerate(cases):
        own = folder / str(index)
        begun = time.monotonic()
        verdict, said = outcome(case, own)
        pipe.send((verdict, said, time.monotonic() - begun))
        shutil.rmtree(own, ignore_errors=True)


def judge(cases: Iterable[Hostile], seconds: float = SECONDS) -> Iterator[tuple[Hostile, str, str, float]]:
    """Every file with its verdict, what was said and the seconds it took; a child that dies is replaced."""
    context = multiprocessing.get_context("fork")
    left = list(cases)
    while left:
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            mine, theirs = context.Pipe()
            child = context.Process(target=_serve, args=(theirs, left, Path(folder)))
            child.start()
            theirs.close()
            done = 0
            for case in left:
                if not mine.poll(seconds):
                    yield case, "hang", f"longer than {seconds:.0f} s", seconds
                    done += 1
                    break
                try:
                    verdict, said, took = mine.recv()
                except EOFError:
                    yield case, "crash", "the reader's process died", 0.0
                    done += 1
                    break
                yield case, verdict, said, took
                done += 1
            child.kill()
            child.join()
            left = left[done:]


def main() -> int:
    """Judges all files and writes the result; 1 where any finding is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    verdicts: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    findings, slowest = [], 0.0
    for case, verdict, said, took in judge(files(asked.count, asked.seed)):
        verdicts[verdict] += 1
        kinds.setdefault(case.kind, Counter())[verdict] += 1
        slowest = max(slowest, took)
        if verdict not in FINE:
            findings.append({"file": case.name, "verdict": verdict, "said": said[:300]})
            print(f"{verdict}: {case.name}: {said[:200]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    asked.out.write_text(
        json.dumps(
            {
                "files": sum(verdicts.values()),
                "seed": asked.seed,
                "verdicts": dict(sorted(verdicts.items())),
                "kinds": {kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())},
                "slowest_seconds": round(slowest, 1),
                "peak_mebibytes": peak >> 20,
                "findings": findings,
            },
            indent=1,
        )
        + "\n"
    )
    print(f"{sum(verdicts.values())} files: {dict(verdicts)}; slowest {slowest:.1f} s, peak {peak >> 20} MiB")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
