"""One child process: how it is started, spoken to, and ended with all that it holds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from interlingua.worker import agent
from interlingua.worker.interpreter import child_environment
from interlingua.worker.output import Output
from interlingua.worker.scratch import Scratch

_TICK = 0.2


class Child:
    """An agent under some interpreter, in a process group of its own.

    It hears us over a socket; its standard streams go to `output`. It holds one end of a pipe, the lifeline, by
    which the kernel kills it when we are gone.

    Raises:
        OSError: the interpreter cannot be executed.
    """

    def __init__(self, python: Path, script: Path, memory_bytes: int | None) -> None:
        self._channel, theirs = socket.socketpair()
        reading, self._lifeline = os.pipe()
        self.output, self.scratch = Output(), Scratch()
        options = {
            "channel": theirs.fileno(),
            "lifeline": reading,
            "script": str(script),
            "folders": self.scratch.folders,
            "memory": memory_bytes,
        }
        try:
            self._process = subprocess.Popen(
                [str(python), agent.__file__, json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=self.output.writing,
                stderr=self.output.writing,
                pass_fds=(theirs.fileno(), reading),
                start_new_session=True,
                env=child_environment(python),
            )
        except OSError:
            self._release()
            raise
        finally:
            theirs.close()
            os.close(reading)
            self.output.start()

    @property
    def pid(self) -> int:
        """The process id, which is the group's as well."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def exchange(self, message: bytes | None, timeout: float | None) -> agent.Message | None:
        """Sends a message, if any, and waits for one; None where the child ended instead.

        Raises:
            TimeoutError: none came within `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout

        def read(count: int) -> bytes:
            while True:
                left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
                if left <= 0:
                    raise TimeoutError
                self._channel.settimeout(left)
                try:
                    return self._channel.recv(count)
                except TimeoutError:
                    if not self.alive:  # a grandchild may keep the socket open
                        return b""

        try:
            if message is not None:
                self._channel.settimeout(timeout)
                self._channel.sendall(message)
            return agent.receive(read)
        except ConnectionError:
            return None

    def end(self, patience: float = 0.0) -> int:
        """Hangs up, waits so many seconds for it to go by itself, kills its process group; its return code."""
        self._channel.close()
        if patience:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self.output.finish()
        self._release()
        return code

    def _release(self) -> None:
        self._channel.close()
        os.close(self._lifeline)
        self.scratch.close()
