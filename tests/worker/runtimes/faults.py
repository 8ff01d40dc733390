"""A runtime whose functions do what frameworks do on bad days."""

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import time

import numpy as np


def versions(arrays):
    return {"numpy": np.__version__, "python": ".".join(map(str, sys.version_info[:3]))}, {}


def echo(arrays, **arguments):
    return arguments, arrays


def double(arrays):
    return None, {name: array + array for name, array in reversed(list(arrays.items()))}


def describe(arrays):
    facts = {}
    for name, array in arrays.items():
        tag = (array.dtype.metadata or {}).get("interlingua")
        facts[name] = [array.dtype.str, tag, list(array.shape), array.flags.writeable]
    return facts, {}


def printing(arrays):
    print("said by Python")
    sys.stdout.flush()
    os.write(1, b"said by a system call\n")
    os.write(2, b"said to standard error\n")
    ctypes.CDLL(None).printf(b"said by C\n")
    return "answered", {"x": np.ones(3)}


def crash(arrays, number=int(signal.SIGSEGV)):
    for line in range(100):
        sys.stderr.write(f"line {line}\n")
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(arrays, code=3):
    os._exit(code)


def hang(arrays):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"child {child.pid}")
    sys.stdout.flush()
    while True:
        time.sleep(60)


def spin_in_c(arrays):
    """Never gives the interpreter lock back."""
    ctypes.PyDLL(None).pause()


def allocate(arrays, count):
    return None, {"x": np.ones(count, dtype=np.uint8)}


def bad_alloc(arrays):
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.kill(os.getpid(), signal.SIGABRT)
    time.sleep(60)


def fail(arrays):
    raise ValueError("Expected an even number. Received 3.")


def leave_politely(arrays):
    sys.exit(-1)


def need_module(arrays):
    importlib.import_module("a_module_that_nobody_has")


def return_objects(arrays):
    return None, {"x": np.array([object()])}


def return_unspeakable(arrays):
    return object(), {}


def visible_modules(arrays):
    return sorted(set(sys.modules)), {}


def search_path(arrays):
    return list(sys.path), {}


def tensorflow_then_paddle(arrays):
    importlib.import_module("tensorflow")
    importlib.import_module("paddle")

    return "both", {}
