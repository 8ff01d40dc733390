"""Arrays reach the runtime and come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from interlingua.errors import OutputError, UsageError
from interlingua.worker import Worker, agent

GENERATOR = np.random.default_rng(0)
CASES: dict[str, np.ndarray] = {
    "float32": GENERATOR.standard_normal((2, 3, 4)).astype(np.float32),
    "float16": np.array([1.5, -0.0, np.inf], np.float16),
    "nan": np.array([np.nan, -np.inf, 1.0]),
    "scalar": np.array(3.5, np.float32),
    "scalar of integers": np.array(-7, np.int64),
    "empty": np.zeros((2, 0, 3), np.float32),
    "bool": np.array([[True, False]]),
    "uint8": np.arange(256, dtype=np.uint8),
    "complex": np.array([1 + 2j]),
    "big endian": np.array([1, 2, 3], ">i4"),
    "text": np.array(["a", "été"]),
    "column major": np.asfortranarray(GENERATOR.standard_normal((3, 5))),
    "strided": np.arange(20.0)[::3],
    "bfloat16": np.array([1.5, -2.0, 3e38], ml_dtypes.bfloat16),
    "bfloat16 scalar": np.array(0.5, ml_dtypes.bfloat16),
    "float8": np.array([0.5, 448.0], ml_dtypes.float8_e4m3fn),
    "a/b:0 é": np.ones(1, np.float32),
    "large": GENERATOR.standard_normal(300_000),
    "large bfloat16": np.ones(1_000_000, ml_dtypes.bfloat16),
}


def test_arrays_come_back_bit_for_bit_in_their_order(worker: Worker) -> None:
    reply = worker.call("echo", CASES, phase="echo")
    assert list(reply.arrays) == list(CASES)
    for name, array in CASES.items():
        back = reply.arrays[name]
        assert (back.dtype, back.shape) == (array.dtype, array.shape), name
        assert back.tobytes() == array.tobytes(), name
        assert type(back) is np.ndarray


def test_the_runtime_decides_the_order_of_its_results(worker: Worker) -> None:
    reply = worker.call("double", {"z": np.ones(2), "a": np.full(3, 2.0)}, phase="double")
    assert list(reply.arrays) == ["a", "z"]
    assert reply.arrays["a"].tolist() == [4.0, 4.0, 4.0]


def test_the_runtime_sees_bfloat16_as_tagged_integers(worker: Worker) -> None:
    seen = worker.call("describe", {"half": CASES["bfloat16"], "large": CASES["large"]}, phase="describe").value
    assert seen == {"half": ["<u2", "bfloat16", [3], True], "large": ["<f8", None, [300_000], True]}


def test_arguments_and_value_are_json(worker: Worker) -> None:
    arguments: dict[str, Any] = {
        "path": Path("a") / "b",
        "number": np.float32(0.5),
        "shape": (1, None),
        "text": "été\n",
        "top": np.inf,
    }
    value = worker.call("echo", phase="echo", **arguments).value
    assert value == {"path": "a/b", "number": 0.5, "shape": [1, None], "text": "été\n", "top": np.inf}


def test_large_arrays_are_mapped_and_leave_no_file(worker: Worker) -> None:
    arrays = worker.call("echo", {"x": CASES["large"]}, phase="echo").arrays
    folders = [Path(folder) for folder in worker.scratch_folders]
    assert folders
    assert [path.name for folder in folders for path in folder.iterdir() if path.name != "lock"] == []
    worker.close()
    assert not any(folder.exists() for folder in folders)
    arrays["x"][0] = 0.0
    assert np.array_equal(arrays["x"][1:], CASES["large"][1:])


def test_an_array_of_objects_is_refused_before_it_travels(worker: Worker) -> None:
    with pytest.raises(UsageError, match="Expected an array of numbers for 'x'"):
        worker.call("echo", {"fine": np.ones(2), "x": np.array([object()])}, phase="echo")
    with pytest.raises(UsageError, match="Expected a value that JSON can hold"):
        worker.call("echo", {"fine": np.ones(2)}, phase="echo", thing=object())
    assert [path for folder in worker.scratch_folders for path in Path(folder).glob("*.npy")] == []
    assert worker.call("echo", phase="echo", fine=True).value == {"fine": True}


def test_a_full_disk_is_an_error_of_the_output(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(OutputError, match="No space left on device"):
            worker.call("echo", {"x": np.ones(3)}, phase="echo")
    assert worker.call("echo", {"x": np.ones(3)}, phase="echo").arrays["x"].shape == (3,)


def test_arrays_go_to_disk_where_memory_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    folders = [str(memory), str(disk)]
    assert Path(agent.write_arrays({"x": np.ones(3)}, folders)[0]["file"]).parent == memory
    monkeypatch.setattr(agent, "_available_memory", lambda: 1024)
    assert Path(agent.write_arrays({"x": np.ones(3000)}, folders)[0]["file"]).parent == disk
