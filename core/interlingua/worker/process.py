"""The parent's side of a worker: starts the child, calls into it, turns whatever happens there into one error."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from interlingua.errors import OutputError, RuntimeMissing, UsageError
from interlingua.worker import agent, failures
from interlingua.worker.child import Child
from interlingua.worker.interpreter import dotted, version_of

HANDSHAKE = "handshake"
HANDSHAKE_SECONDS = 60.0
OLDEST_PYTHON = (3, 7)


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a runtime's function returned: a JSON value and arrays by name, in its order."""

    value: Any
    arrays: dict[str, np.ndarray]


class Worker:
    """A child process that runs a runtime script under a given interpreter.

    It starts when first called (or entered) and starts anew after a failure; calls from several threads queue up.
    `name` is the runtime's, for messages; `memory_bytes` limits the child's private memory; `mend` is the command
    that installs what the interpreter lacks.
    """

    def __init__(
        self, python: Path, script: Path, *, name: str, memory_bytes: int | None = None, mend: str = ""
    ) -> None:
        self.python = python.absolute()
        self.script = script.absolute()
        self.name = name
        self.memory_bytes = memory_bytes
        self.mend = mend
        self.python_version: tuple[int, ...] = ()
        self.peak_memory = 0
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._child: Child | None = None
        self._last_output: tuple[str, ...] = ()
        self._versions: dict[str, str] | None = None

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether a child is running now."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def scratch_folders(self) -> tuple[str, ...]:
        """Where arrays travel while a child runs."""
        return tuple(self._child.scratch.folders) if self._child is not None else ()

    def output(self) -> tuple[str, ...]:
        """The last lines the child printed since the last call began."""
        if self._child is not None:
            self._child.output.settle()
            self._last_output = self._child.output.lines()
        return self._last_output

    def start(self) -> None:
        """Starts the child unless it runs, and shakes hands.

        Raises:
            RuntimeMissing: the interpreter is none, is too old, or has no numpy.
            WorkerFailed: it crashed, hung or ran out of memory before it answered.
        """
        with self._lock:
            self._running()

    def _running(self) -> Child:
        if self._child is not None and self._child.alive:
            return self._child
        self.close()
        try:
            self._child = Child(self.python, self.script, self.memory_bytes)
        except OSError as error:
            received = f"Received {str(self.python)!r}: {error.strerror}."
            raise RuntimeMissing(
                f"Expected a Python interpreter for the runtime {self.name!r}. {received}", hint=self.mend
            ) from None
        greeting = self._exchange(self._child, None, HANDSHAKE, HANDSHAKE_SECONDS)
        if greeting is None:
            raise self._no_handshake()
        if greeting.get("protocol") != agent.PROTOCOL:
            self._end()
            fact = f"Received protocol {greeting.get('protocol')!r}, not {agent.PROTOCOL}."
            raise failures.WorkerCrashed(self.name, HANDSHAKE, fact)
        self.python_version = tuple(greeting["python"])
        return self._child

    def call(
        self,
        function: str,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        phase: str,
        timeout: float | None = None,
        **arguments: Any,
    ) -> Reply:
        """Calls `function` of the runtime script; `phase` says in messages what is being done.

        Raises:
            RuntimeMissing: the interpreter or a module the script imports is not there.
            WorkerFailed: the child crashed, hung longer than `timeout` seconds, ran out of memory or raised.
            OutputError: the arrays do not fit on the disk they travel over.
            UsageError: an argument is nothing that JSON can hold, or an array holds Python objects.
        """
        with self._lock:
            child = self._running()
            child.output.forget()
            request = self._request(child, function, arrays or {}, arguments)
            reply = self._exchange(child, request, phase, timeout)
            if reply is None:
                code = self._end(patience=5.0)
                raise failures.ended(self.name, phase, code, self.output(), self.memory_bytes)
            if "error" in reply:
                raise self._raised(phase, reply["error"])
            return Reply(reply["value"], agent.read_arrays(reply["arrays"], _typed))

    def versions(self) -> dict[str, str]:
        """The versions of what the runtime runs on, by name; asked once."""
        if self._versions is None:
            self._versions = dict(self.call("versions", phase="saying its versions").value)
        return self._versions

    def close(self) -> None:
        """Ends the child, kindly first, and removes what was under way."""
        if self._owner != os.getpid():  # a forked copy of us has no say over our child
            return
        with self._lock:
            self._end(patience=2.0)

    def _end(self, patience: float = 0.0) -> int:
        """Ends the child and keeps its last lines; its return code, 0 where there was none."""
        child = self._child
        if child is None:
            return 0
        code = child.end(patience)
        self._last_output = child.output.lines()
        self._child = None
        return code

    def _request(
        self, child: Child, function: str, arrays: Mapping[str, np.ndarray], arguments: Mapping[str, Any]
    ) -> bytes:
        rows: list[agent.Row] = []
        try:
            rows = agent.write_arrays(arrays, child.scratch.folders)
            return agent.encode({"function": function, "arguments": dict(arguments), "arrays": rows})
        except TypeError as error:
            agent.discard(rows)
            raise UsageError(str(error)) from None
        except OSError as error:
            total = sum(np.asarray(array).nbytes for array in arrays.values())
            raise OutputError(
                f"Expected room for {failures.size(total)} on its way to {self.name!r}. Received: {error.strerror}.",
                hint="Set TMPDIR to a folder with more room.",
            ) from None

    def _exchange(self, child: Child, message: bytes | None, phase: str, timeout: float | None) -> agent.Message | None:
        """Sends a message, if any, and waits for one; None where the child ended. Whatever interrupts ends it."""
        try:
            reply = child.exchange(message, timeout)
        except TimeoutError:
            self._end()
            fact = f"Received no answer within {timeout:g} s; the process was killed."
            raise failures.WorkerHung(self.name, phase, fact, self._last_output) from None
        except BaseException:
            self._end()
            raise
        if reply is not None:
            self.peak_memory = max(self.peak_memory, reply.get("peak", 0))
        return reply

    def _raised(self, phase: str, error: Mapping[str, Any]) -> RuntimeMissing | failures.WorkerFailure:
        kinds, text = error["kinds"], error["message"]
        said = f"{kinds[0]}: {text}" if text else kinds[0]
        output = self.output()
        if "MemoryError" in kinds or failures.is_memory(said):
            self._end()
            limit = f", under a limit of {failures.size(self.memory_bytes)}" if self.memory_bytes is not None else ""
            return failures.WorkerOutOfMemory(self.name, phase, f"Received {said}{limit}.", output)
        if error.get("module"):
            module = error["module"]
            return RuntimeMissing(
                f"Expected the module {module!r} for the runtime {self.name!r}. {self.python} has none.",
                place=phase,
                hint=self.mend or f"Run: {self.python} -m pip install {module.partition('.')[0]}",
            )
        failure = failures.WorkerRaised(self.name, phase, f"Received {said}", output, error["traceback"])
        failure.kinds, failure.reason = tuple(kinds), text
        return failure

    def _no_handshake(self) -> RuntimeMissing | failures.WorkerFailure:
        """Why no agent answered: asks the interpreter itself what it is."""
        code = self._end(patience=5.0)
        version = version_of(self.python)
        output = self._last_output
        expected = f"Expected Python {dotted(OLDEST_PYTHON)} or newer with numpy for the runtime {self.name!r}."
        if version is None:
            said = f" It said: {output[-1]}" if output else ""
            received = f"Received {str(self.python)!r}, which is no Python ({failures.ending(code)}).{said}"
            return RuntimeMissing(f"{expected} {received}", hint=self.mend)
        if version < OLDEST_PYTHON:
            return RuntimeMissing(f"{expected} Received Python {dotted(version)} ({self.python}).", hint=self.mend)
        if any("numpy" in line and "Error" in line for line in output):
            hint = self.mend or f"Run: {self.python} -m pip install numpy"
            return RuntimeMissing(f"{expected} Received {self.python}: {output[-1]}", hint=hint)
        return failures.ended(self.name, HANDSHAKE, code, output, self.memory_bytes)


def _typed(array: np.ndarray, tag: str) -> np.ndarray:
    """An array of one of the types that numpy borrows from ml_dtypes."""
    import ml_dtypes

    return array.view(np.dtype(getattr(ml_dtypes, tag)))
