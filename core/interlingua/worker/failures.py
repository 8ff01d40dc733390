"""How a worker fails, as errors that name the runtime, the phase and the child's last output."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from interlingua.errors import WorkerFailed

_MEMORY = re.compile(
    r"std::bad_alloc|MemoryError|can(?:not|'t) allocate|out of memory|not enough memory|OOM when|ResourceExhausted",
    re.IGNORECASE,
)


class WorkerFailure(WorkerFailed):
    """A worker process did not finish a phase.

    `runtime` and `phase` say which, `output` holds the last lines the child printed, oldest first.
    """

    def __init__(
        self, runtime: str, phase: str, fact: str, output: Sequence[str] = (), detail: Sequence[str] = ()
    ) -> None:
        message = f"Expected the runtime {runtime!r} to finish {phase!r}. {fact}"
        for title, lines in (("The end of its traceback", detail), ("Its last output", output)):
            if lines:
                message += f"\n{title}:" + "".join(f"\n  {line}" for line in lines)
        super().__init__(message)
        self.runtime = runtime
        self.phase = phase
        self.fact = fact
        self.output = tuple(output)


class WorkerCrashed(WorkerFailure):
    """The process ended by a signal or an exit code of its own."""


class WorkerHung(WorkerFailure):
    """No answer came within the time limit; the process group was killed."""


class WorkerOutOfMemory(WorkerFailure):
    """The process had no more memory, by the limit it was given or the machine's."""


class WorkerRaised(WorkerFailure):
    """The runtime's function raised. `kinds` names the exception's classes, the nearest first; `reason` is its text."""

    kinds: tuple[str, ...] = ()
    reason: str = ""


def is_memory(text: str) -> bool:
    """Whether a message of Python, C++ or a framework means that memory ran out."""
    return _MEMORY.search(text) is not None


def ending(code: int) -> str:
    """How a process ended, from its return code: "signal SIGSEGV" or "exit code 3"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def size(count: int) -> str:
    """A number of bytes as a person reads it."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def ended(runtime: str, phase: str, code: int, output: Sequence[str], limit: int | None) -> WorkerFailure:
    """The error for a process that ended by itself: out of memory where that is what it looks like, else a crash."""
    under = f" under a limit of {size(limit)}" if limit is not None else ""
    if code == -signal.SIGKILL:
        fact = f"Received its end by signal SIGKILL{under}, which the system sends when memory runs out."
        return WorkerOutOfMemory(runtime, phase, fact, output)
    if is_memory("\n".join(output)):
        return WorkerOutOfMemory(runtime, phase, f"Received its end by {ending(code)}{under}: memory ran out.", output)
    return WorkerCrashed(runtime, phase, f"Received its end by {ending(code)}{under}.", output)
