"""What the cases of the backend suite are converted to, and how the result is run: one row a target in `TARGETS`."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pickle
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from onnx import checker
from suite_cases import Case, Failed, by_onnxruntime, decode, encode

from interlingua import cards, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.codegen.package import Package
from interlingua.errors import Refusal, UnsupportedModel
from interlingua.ir.older_opsets import OLDEST
from interlingua.ir.opset import OPSET

ZYGOTE = Path(__file__).with_name("suite_zygote.py")
START_SECONDS = 120.0
WRITE_SECONDS = 60

Runner = Callable[[Case, Path], list[list[Any]]]
"""Converts a case in an empty folder and runs the result on its data sets: the outputs of each."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A target: `start(scratch)` gives, as a context, what converts and runs one case in a process of its own.

    The runner raises `Failed` with the stage (write, import or run) at which a case falls.
    """

    name: str
    start: Callable[[Path], contextlib.AbstractContextManager[Runner]]


def warm(framework: str) -> None:
    """Imports what writing for the framework needs, so that the forks of this process have it."""
    described = plugin.framework(framework)
    assert described.backend is not None
    plugin.resolve(described.backend.writer)
    for form in plugin.framework("onnx").formats:
        plugin.resolve(form.reader)
    cards.by_record(framework)


def written(case: Case, folder: Path, framework: str, options: WriteOptions | None = None) -> Package:
    """Writes a case for the framework by the product's own route: read, canonical passes, backend; nothing more.

    Raises:
        Failed: at the stage "write", whatever was refused or broke.
    """
    source = folder / "source.onnx"
    source.write_bytes(case.model)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(WRITE_SECONDS)
    try:
        model = pipeline.read(source).model
        package, _ = pipeline.write(model, plugin.framework(framework), folder, options)
    except UnsupportedModel as error:
        raise Failed("write", _refused(error)) from error
    except Exception as error:  # the suite takes down whatever stands in the way
        name = "" if type(error).__module__ == "interlingua.errors" else f"{type(error).__name__}: "
        raise Failed("write", f"{name}{error}") from error
    finally:
        signal.alarm(0)
    return package


def _refused(error: UnsupportedModel) -> str:
    """What each operator was refused for, once."""
    lines = dict.fromkeys(f"{each.operator}: {each.reason}" for each in error.refusals if isinstance(each, Refusal))
    return "; ".join(lines) or "; ".join(map(str, error.refusals)) or error.message


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {WRITE_SECONDS} s")


@contextlib.contextmanager
def torch(scratch: Path) -> Iterator[Runner]:
    """PyTorch: model.py and weights.safetensors in a fresh process with torch and safetensors alone."""
    warm("torch")
    address = scratch / "zygote"
    address.unlink(missing_ok=True)
    zygote = subprocess.Popen([sys.executable, str(ZYGOTE), str(address)], stdin=subprocess.PIPE)
    end = time.monotonic() + START_SECONDS
    while not address.exists():
        if zygote.poll() is not None or time.monotonic() > end:
            raise SystemExit("the process with torch did not start")
        time.sleep(0.02)

    def run(case: Case, folder: Path) -> list[list[Any]]:
        package = written(case, folder, "torch")
        names = case.inputs()
        data = []
        for given, _ in case.data:
            by_name = dict(zip(names, given, strict=False))
            data.append([encode(by_name.get(port.name)) for port in package.inputs])
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(address))
            with connection.makefile("rwb") as stream:
                pickle.dump((str(folder), data, len(package.outputs)), stream)
                stream.flush()
                try:
                    stage, answer = pickle.load(stream)
                except EOFError:
                    raise Failed("run", "the process died or took longer than 60 s") from None
        if stage != "ok":
            raise Failed(stage, answer)
        return [[decode(each) for each in outputs] for outputs in answer]

    try:
        yield run
    finally:
        zygote.kill()
        zygote.wait()


@contextlib.contextmanager
def onnx(scratch: Path) -> Iterator[Runner]:
    """ONNX through the IR and back, clean by onnx.checker, in onnxruntime."""
    warm("onnx")

    def run(case: Case, folder: Path) -> list[list[Any]]:
        return _through_onnx(case, folder, WriteOptions())

    yield run


@contextlib.contextmanager
def older(scratch: Path) -> Iterator[Runner]:
    """ONNX in an older opset, a case 13, the next 14 and so on, clean by onnx.checker, in onnxruntime."""
    warm("onnx")

    def run(case: Case, folder: Path) -> list[list[Any]]:
        return _through_onnx(case, folder, WriteOptions(opset=older_opset(case.name)))

    yield run


def older_opset(name: str) -> int:
    """The opset below the pinned one that a case is written in, by its name."""
    return OLDEST + zlib.crc32(name.encode()) % (OPSET - OLDEST)


def _through_onnx(case: Case, folder: Path, options: WriteOptions) -> list[list[Any]]:
    package = written(case, folder, "onnx", options)
    path = folder / package.native_path
    try:
        checker.check_model(str(path), full_check=True)
    except Exception as error:  # the suite's own models include some that the full check refuses
        if _clean(case.model):
            raise Failed("import", f"onnx.checker: {error}") from error
    names = case.inputs()
    given = [dict(zip(names, inputs, strict=False)) for inputs, _ in case.data]
    try:
        return [_in_onnxruntime(path, inputs) for inputs in given]
    except Exception as error:
        raise Failed("run", f"{type(error).__name__}: {error}") from error


def _clean(model: bytes) -> bool:
    try:
        checker.check_model(model, full_check=True)
    except Exception:  # C++ errors of several kinds
        return False
    return True


def _in_onnxruntime(path: Path, inputs: Mapping[str, Any]) -> list[Any]:
    """The outputs; operators that onnxruntime has no kernel for are said otherwise, as the proof does."""
    runtime: Any = importlib.import_module("interlingua.onnx.runtime")  # the worker's script, without types

    model: str | bytes = str(path)
    proto = runtime.load(model)
    while True:
        try:
            return by_onnxruntime(model, inputs)
        except Exception as error:
            lacks = runtime.LACKS.search(str(error))
            if lacks is None or not runtime.mended(proto, lacks):
                raise
        model = proto.SerializeToString()


TARGETS: Mapping[str, Target] = {
    row.name: row for row in (Target("torch", torch), Target("onnx", onnx), Target("older", older))
}
