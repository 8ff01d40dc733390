"""Whatever happens in a worker is one clear error, and the parent goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from interlingua.errors import RuntimeMissing, WorkerFailed
from interlingua.worker import Worker, WorkerCrashed, WorkerHung, WorkerOutOfMemory, WorkerRaised, agent, process
from interlingua.worker.interpreter import find_python

FAULTS = Path(__file__).parent / "runtimes" / "faults.py"


def goes_on(worker: Worker) -> None:
    assert worker.call("echo", {"x": np.arange(3)}, phase="echo").arrays["x"].tolist() == [0, 1, 2]


def gone(pid: int) -> bool:
    """Whether a process is dead, reaped or not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE])
def test_a_crash_names_runtime_phase_signal_and_last_lines(worker: Worker, number: signal.Signals) -> None:
    with pytest.raises(WorkerCrashed) as caught:
        worker.call("crash", phase="running the model", number=int(number))
    said = str(caught.value)
    assert "'faulty'" in said
    assert "'running the model'" in said
    assert number.name in said
    assert "line 99" in said
    assert "line 1\n" not in said
    assert 10 <= len(caught.value.output) <= 40
    assert isinstance(caught.value, WorkerFailed)
    assert caught.value.exit_code == 8
    goes_on(worker)


def test_an_exit_of_its_own_is_a_crash_with_its_code(worker: Worker) -> None:
    with pytest.raises(WorkerCrashed, match="exit code 3"):
        worker.call("leave", phase="leaving")
    goes_on(worker)


@pytest.mark.slow
def test_tensorflow_then_paddle_in_one_process_is_a_crash_and_the_parent_lives() -> None:
    with Worker(Path(sys.executable), FAULTS, name="two frameworks") as worker:
        with pytest.raises(WorkerCrashed, match="SIGSEGV") as caught:
            worker.call("tensorflow_then_paddle", phase="importing both", timeout=120)
        assert "paddle" in "\n".join(caught.value.output)
        goes_on(worker)


@pytest.mark.parametrize("function", ["hang", "spin_in_c"])
def test_a_hang_is_ended_with_its_children(worker: Worker, function: str) -> None:
    pid = worker.pid
    assert pid is not None
    began = time.monotonic()
    with pytest.raises(WorkerHung, match=r"'waiting'.*no answer within 0\.5 s") as caught:
        worker.call(function, phase="waiting", timeout=0.5)
    assert time.monotonic() - began < 5
    wait_until_gone(pid)
    for line in caught.value.output:
        wait_until_gone(int(line.removeprefix("child ")))
    goes_on(worker)


def test_a_memory_limit_is_an_error_of_memory(python: Path) -> None:
    with Worker(python, FAULTS, name="small", memory_bytes=400 << 20) as worker:
        with pytest.raises(WorkerOutOfMemory, match=r"MemoryError.*limit of 400 MiB"):
            worker.call("allocate", phase="allocating", count=1 << 30)
        assert worker.call("allocate", phase="allocating", count=64 << 20).arrays["x"].nbytes == 64 << 20


@pytest.mark.slow
def test_without_a_limit_the_same_allocation_succeeds(worker: Worker) -> None:
    assert worker.call("allocate", phase="allocating", count=450 << 20).arrays["x"].nbytes == 450 << 20


def test_bad_alloc_and_sigkill_are_errors_of_memory(worker: Worker) -> None:
    with pytest.raises(WorkerOutOfMemory, match="SIGABRT"):
        worker.call("bad_alloc", phase="allocating")
    with pytest.raises(WorkerOutOfMemory, match="SIGKILL"):
        worker.call("crash", phase="allocating", number=int(signal.SIGKILL))
    goes_on(worker)


def test_peak_memory_is_the_childs_own(worker: Worker) -> None:
    ballast = np.ones(300 << 20, np.uint8)
    with Worker(worker.python, FAULTS, name="fresh") as fresh:
        assert 5 << 20 < fresh.peak_memory < ballast.nbytes
        fresh.call("allocate", phase="allocating", count=400 << 20)
        assert 400 << 20 < fresh.peak_memory < 1200 << 20


def test_an_exception_travels_with_type_message_and_traceback(worker: Worker) -> None:
    pid = worker.pid
    with pytest.raises(WorkerRaised) as caught:
        worker.call("fail", phase="failing")
    assert caught.value.kinds[:2] == ("ValueError", "Exception")
    assert caught.value.reason == "Expected an even number. Received 3."
    assert "ValueError: Expected an even number. Received 3." in str(caught.value)
    assert "in fail" in str(caught.value)
    assert "agent.py" not in str(caught.value)
    goes_on(worker)
    assert worker.pid == pid


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("leave_politely", "SystemExit: -1"),
        ("return_objects", "TypeError: Expected an array of numbers for 'x'"),
        ("return_unspeakable", "TypeError: Expected a value that JSON can hold"),
        ("no_such_function", "AttributeError: Expected a function of .*faults.py .*Received 'no_such_function'"),
    ],
)
def test_what_a_function_may_not_do_is_told(worker: Worker, function: str, said: str) -> None:
    with pytest.raises(WorkerRaised, match=said):
        worker.call(function, phase="misbehaving")
    goes_on(worker)


def test_a_missing_module_is_a_missing_runtime(worker: Worker) -> None:
    with pytest.raises(RuntimeMissing, match="a_module_that_nobody_has") as caught:
        worker.call("need_module", phase="importing")
    assert caught.value.hint == f"Run: {worker.python} -m pip install a_module_that_nobody_has"
    goes_on(worker)


def test_output_to_stdout_disturbs_nothing_and_is_kept(worker: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    reply = worker.call("printing", phase="printing")
    assert reply.value == "answered"
    assert reply.arrays["x"].tolist() == [1.0, 1.0, 1.0]
    assert set(worker.output()) == {"said by Python", "said by a system call", "said to standard error", "said by C"}
    assert capfd.readouterr() == ("", "")


def test_versions_are_asked_by_call(worker: Worker) -> None:
    assert worker.versions()["python"] == ".".join(map(str, worker.python_version))


def test_the_runtime_sees_no_module_of_ours(worker: Worker) -> None:
    modules = worker.call("visible_modules", phase="looking").value
    assert [name for name in modules if name.startswith("interlingua")] == ["interlingua_runtime"]
    assert str(Path(agent.__file__).parent) not in worker.call("search_path", phase="looking").value


@pytest.mark.parametrize("there", [False, True])
def test_an_unknown_interpreter_is_a_missing_runtime(tmp_path: Path, there: bool) -> None:
    python = tmp_path / "python"
    if there:
        python.write_text("no program")
    with pytest.raises(RuntimeMissing, match="Expected a Python interpreter for the runtime 'faulty'"):
        Worker(python, FAULTS, name="faulty", mend="Run: this").start()


def test_an_interpreter_that_is_no_python_is_told() -> None:
    with pytest.raises(RuntimeMissing, match="which is no Python"):
        Worker(Path("/bin/ls"), FAULTS, name="faulty").start()


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_an_interpreter_that_is_too_old_is_told_with_its_version(version: str) -> None:
    try:
        python = find_python(version)
    except RuntimeMissing:
        pytest.skip(f"No Python {version} here.")
    with pytest.raises(RuntimeMissing, match=rf"Expected Python 3\.7 or newer with numpy.*Received Python {version}"):
        Worker(python, FAULTS, name="faulty").start()


def test_an_interpreter_without_numpy_is_told(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    with pytest.raises(RuntimeMissing, match="No module named 'numpy'") as caught:
        Worker(python, FAULTS, name="faulty").start()
    assert caught.value.hint == f"Run: {python} -m pip install numpy"


def test_an_interpreter_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 600\n")
    python.chmod(0o755)
    monkeypatch.setattr(process, "HANDSHAKE_SECONDS", 0.5)
    with pytest.raises(WorkerHung, match="'handshake'"):
        Worker(python, FAULTS, name="faulty").start()


def test_an_interrupt_ends_the_child(worker: Worker) -> None:
    pid = worker.pid
    assert pid is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            worker.call("spin_in_c", phase="waiting")
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(pid)
    goes_on(worker)


def test_no_child_survives_a_parent_that_is_killed(python: Path) -> None:
    source = f"""
        import threading, time
        from pathlib import Path
        from interlingua.worker import Worker
        busy = Worker(Path({str(python)!r}), Path({str(FAULTS)!r}), name="busy")
        busy.start()
        idle = Worker(Path({str(python)!r}), Path({str(FAULTS)!r}), name="idle")
        idle.start()
        threading.Thread(target=lambda: busy.call("spin_in_c", phase="spin")).start()
        time.sleep(0.5)
        print(busy.pid, idle.pid, flush=True)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(source)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(word) for word in parent.stdout.readline().split()]
    assert len(children) == 2
    assert not any(gone(pid) for pid in children)
    parent.kill()
    parent.communicate()
    for pid in children:
        wait_until_gone(pid)


def test_a_worker_outlives_the_thread_that_started_it(worker: Worker) -> None:
    worker.close()
    thread = threading.Thread(target=worker.start)
    thread.start()
    thread.join()
    pid = worker.pid
    time.sleep(0.1)
    goes_on(worker)
    assert worker.pid == pid


def test_calls_from_several_threads_queue_up(worker: Worker) -> None:
    results: dict[int, float] = {}

    def one(number: int) -> None:
        arrays = worker.call("double", {"x": np.full(1000, number)}, phase="double").arrays
        results[number] = float(arrays["x"].mean())

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: 2.0 * number for number in range(8)}
