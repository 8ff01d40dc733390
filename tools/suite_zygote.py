"""Imports torch and safetensors once, then runs each generated model.py in a fork of itself, without anything else.

Started with a path for its socket. A request is one pickle: the model's folder, the inputs of each data set in plain
Python and how many outputs there are. The answer is ("ok", outputs of each data set) or (stage, reason).
"""

from __future__ import annotations

import ctypes
import gc
import importlib.abc
import importlib.util
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from typing import Any

SECONDS = 60
ALLOWED = frozenset(
    (
        "__main__",
        "model",
        "torch",
        "torchgen",
        "functorch",
        "safetensors",
        "typing_extensions",
        "sympy",
        "mpmath",
        "networkx",
        "jinja2",
        "markupsafe",
        "fsspec",
        "filelock",
        "packaging",
        "triton",
        "setuptools",
    )
)


class OnlyTorch(importlib.abc.MetaPathFinder):
    """Refuses every module that neither the standard library nor torch and safetensors bring."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Lets the other finders go on, or raises.

        Raises:
            ModuleNotFoundError: the module is of another package.
        """
        top = fullname.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{fullname} is not there: only torch and safetensors are", name=fullname)


def main(address: str) -> None:
    """Serves until standard input ends."""
    sys.meta_path.insert(0, OnlyTorch())
    import warnings

    warnings.simplefilter("ignore")
    import safetensors.torch  # noqa: F401
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(64)
        while server in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _serve(connection)
            connection.close()


def _serve(connection: socket.socket) -> None:
    signal.alarm(SECONDS)
    with connection.makefile("rwb") as stream:
        folder, data, count = pickle.load(stream)
        pickle.dump(_answer(folder, data, count), stream)
    os._exit(0)


def _answer(folder: str, data: list[list[Any]], count: int) -> tuple[str, Any]:
    stage = "import"
    try:
        specification = importlib.util.spec_from_file_location("model", f"{folder}/model.py")
        assert specification is not None and specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules["model"] = module
        specification.loader.exec_module(module)
        stage = "run"
        answers = []
        for inputs in data:
            outputs = module.load()(*[_tensor(each) for each in inputs])
            answers.append([_plain(each) for each in ([outputs] if count == 1 else outputs)])
        return "ok", answers
    except BaseException as error:  # whatever the generated code raised is the case's result
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.endswith("model.py")]
        line = f" at `{frames[-1].line}`" if frames else ""
        return stage, f"{type(error).__name__}: {error}{line}"


def _tensor(value: Any) -> Any:
    import torch

    if value is None:
        return None
    if isinstance(value, list):
        return [_tensor(each) for each in value]
    dtype = getattr(torch, value["dtype"])
    if not value["data"]:
        return torch.empty(value["shape"], dtype=dtype)
    return torch.frombuffer(bytearray(value["data"]), dtype=dtype).reshape(value["shape"])


def _plain(value: Any) -> Any:
    import torch

    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if not isinstance(value, torch.Tensor):
        return value
    whole = value.detach().resolve_conj().contiguous()
    data = ctypes.string_at(whole.data_ptr(), whole.nbytes) if whole.nbytes else b""
    return {"dtype": str(whole.dtype).removeprefix("torch."), "shape": list(whole.shape), "data": data}


if __name__ == "__main__":
    main(sys.argv[1])
