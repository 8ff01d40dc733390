"""Runs inside a worker process: loads a runtime script by file and calls its functions for the parent.

Needs Python 3.7 and numpy, imports nothing of ours; the parent imports the transport below, so it exists once.

A runtime script is one file. Each of its public functions is `function(arrays, **arguments) -> (value, arrays)`:
`arrays` is a dict of numpy arrays by name, in order, both ways; `value` is anything JSON can hold. `versions` is
one of them and says, by name, the versions of what it runs on.

Messages travel over a socket of their own, since frameworks print to the standard streams; arrays travel as
`.npy` files in a scratch folder, removed by whoever reads them. A type that numpy itself lacks (bfloat16, the
float8 family) travels as unsigned integers of the same width; inside the worker such an array keeps the name of
its type in `array.dtype.metadata["interlingua"]`, and a script that returns one says it the same way.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import resource
import select
import signal
import struct
import sys
import tempfile
import traceback
from types import FunctionType
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

PROTOCOL = 1
TAG = "interlingua"
MAPPED_FROM = 1 << 20
TRACEBACK_LINES = 24
_LENGTH = struct.Struct("!Q")

Message = Dict[str, Any]
Row = Dict[str, str]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"Expected a value that JSON can hold. Received one of the class {type(value).__name__}.")


def encode(message: Message) -> bytes:
    """A message as it travels: eight bytes of length, then JSON."""
    body = json.dumps(message, default=_plain).encode()
    return _LENGTH.pack(len(body)) + body


def receive(read: Callable[[int], bytes]) -> Optional[Message]:
    """The next message from `read`, which returns up to so many bytes; None where the other side hung up."""
    head = _exactly(read, _LENGTH.size)
    body = head and _exactly(read, _LENGTH.unpack(head)[0])
    return json.loads(body.decode()) if body else None


def _exactly(read: Callable[[int], bytes], count: int) -> Optional[bytes]:
    parts: List[bytes] = []
    while count:
        part = read(min(count, MAPPED_FROM))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_arrays(arrays: Mapping[str, Any], folders: Sequence[str]) -> List[Row]:
    """Writes each array to a file in the first folder that has room, the last one where none has.

    Raises:
        TypeError: an array of Python objects.
        OSError: the disk is full.
    """
    rows: List[Row] = []
    try:
        for name, given in arrays.items():
            array, tag = _untagged(name, np.asarray(given))
            folder = next((f for f in folders[:-1] if _has_room(f, array.nbytes)), folders[-1])
            handle, path = tempfile.mkstemp(suffix=".npy", dir=folder)
            rows.append({"name": name, "file": path, "tag": tag})
            with os.fdopen(handle, "wb") as file:
                np.save(file, array, allow_pickle=False)
    except BaseException:
        discard(rows)
        raise
    return rows


def discard(rows: Iterable[Row]) -> None:
    """Removes the files of arrays that nobody will read."""
    for row in rows:
        os.unlink(row["file"])


def _untagged(name: str, array: np.ndarray) -> Tuple[np.ndarray, str]:
    if array.dtype.hasobject:
        raise TypeError(f"Expected an array of numbers for {name!r}. Received one of Python objects.")
    if array.dtype.isbuiltin == 2:
        return array.view(f"u{array.dtype.itemsize}"), array.dtype.name
    said = array.dtype.metadata
    tag = said.get(TAG, "") if said is not None else ""
    return (array.view(np.dtype(array.dtype.str)), tag) if tag else (array, "")


def _has_room(folder: str, size: int) -> bool:
    """Whether a quarter of what the folder and the memory behind it have left would hold `size` bytes."""
    disk = os.statvfs(folder)
    return size * 4 < min(disk.f_bavail * disk.f_frsize, _available_memory())


def _available_memory() -> int:
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 1 << 30


def read_arrays(rows: Iterable[Row], typed: Callable[[np.ndarray, str], np.ndarray]) -> Dict[str, np.ndarray]:
    """The arrays of `rows`, large ones mapped (writable, private to the reader); their files are removed.

    `typed` gives an array of a type that numpy lacks that type back.
    """
    arrays: Dict[str, np.ndarray] = {}
    for row in rows:
        mapped = os.path.getsize(row["file"]) >= MAPPED_FROM
        array = np.asarray(np.load(row["file"], mmap_mode="c" if mapped else None, allow_pickle=False))
        os.unlink(row["file"])
        arrays[row["name"]] = typed(array, row["tag"]) if row["tag"] else array
    return arrays


def _tagged(array: np.ndarray, tag: str) -> np.ndarray:
    return array.view(np.dtype(array.dtype.str, metadata={TAG: tag}))


def peak_memory() -> int:
    """The most memory this process has held, in bytes."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):  # getrusage is second choice: on Linux it counts the parent at the fork
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _die_with_parent(lifeline: int) -> None:
    """The kernel kills this process group when the parent's end of the pipe closes, however busy we are."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    set_signal = getattr(fcntl, "F_SETSIG", None)
    if set_signal is not None:
        fcntl.fcntl(lifeline, set_signal, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        os._exit(1)


def _limit(memory: Optional[int]) -> None:
    """Limits private memory. Not the address space: frameworks reserve far more of it than they use."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _load(script: str) -> Any:
    spec = importlib.util.spec_from_file_location("interlingua_runtime", script)
    if spec is None or spec.loader is None:
        raise ImportError(f"Expected a Python file as runtime script. Received {script!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _function(script: str, name: str) -> Callable[..., Any]:
    module = sys.modules.get("interlingua_runtime") or _load(script)
    public = {n: f for n, f in vars(module).items() if isinstance(f, FunctionType) and not n.startswith("_")}
    if name not in public:
        raise AttributeError(f"Expected a function of {script} ({', '.join(sorted(public))}). Received {name!r}.")
    return public[name]


def _answer(options: Message, request: Message) -> bytes:
    try:
        function = _function(options["script"], request["function"])
        arrays = read_arrays(request["arrays"], _tagged)
        value, results = function(arrays, **request["arguments"])
        rows = write_arrays(results, options["folders"])
        return encode({"value": value, "arrays": rows, "peak": peak_memory()})
    except BaseException as error:  # frameworks raise SystemExit and worse; the parent decides what it means
        trace = error.__traceback__
        below = trace.tb_next or trace if trace else None  # without our own line
        lines = "".join(traceback.format_exception(type(error), error, below)).splitlines()
        kinds = [kind.__name__ for kind in type(error).__mro__]
        failure = {"kinds": kinds, "message": str(error), "traceback": lines[-TRACEBACK_LINES:]}
        if isinstance(error, ModuleNotFoundError):
            failure["module"] = error.name or ""
        return encode({"error": failure, "peak": peak_memory()})


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def main(given: str) -> None:
    """Shakes hands and answers calls until the parent hangs up. `given` is JSON with what the parent decided."""
    options = json.loads(given)
    channel = options["channel"]
    sys.path.pop(0)  # our own folder, whose file names must not hide anybody's modules
    for descriptor in (channel, options["lifeline"]):
        os.set_inheritable(descriptor, False)
    _die_with_parent(options["lifeline"])
    _limit(options["memory"])

    def send(message: bytes) -> None:
        view = memoryview(message)
        while view:
            view = view[os.write(channel, view) :]

    send(encode({"protocol": PROTOCOL, "python": list(sys.version_info[:3]), "peak": peak_memory()}))
    while True:
        request = receive(lambda count: os.read(channel, count))
        if request is None:
            break
        reply = _answer(options, request)
        _flush()
        send(reply)
    _flush()
    os._exit(0)  # some frameworks crash or hang while the interpreter shuts down


if __name__ == "__main__":
    main(sys.argv[1])
