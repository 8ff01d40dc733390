"""The cases of the ONNX backend suite: their models and data, what onnxruntime makes of them, and the comparison."""

from __future__ import annotations

import ctypes
import dataclasses
import math
import os
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
LONGEST_REASON = 220

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_MISMATCH = re.compile(r"^(Mismatched elements|Max absolute difference|Max relative difference|.*location mismatch).*")


class Failed(Exception):
    """A case that did not come through, and at which stage: write, import, run or compare."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(stage, reason)
        self.stage = stage
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Case:
    """One case: the serialized model, pairs of inputs and expected outputs, the suite's tolerances."""

    name: str
    kind: str
    model: bytes
    data: Sequence[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float

    @property
    def expanded(self) -> bool:
        """Whether it runs the body of a function instead of the operator."""
        return "_expanded" in self.name

    def proto(self) -> onnx.ModelProto:
        """The model."""
        return onnx.ModelProto.FromString(self.model)

    def inputs(self) -> list[str]:
        """The names of the graph's inputs that the data sets give, in order."""
        return [each.name for each in self.proto().graph.input]

    def operators(self) -> list[str]:
        """The operators of the graph, each once."""
        return sorted({node.op_type for node in self.proto().graph.node})


def cases(cache: Path) -> dict[str, Case]:
    """Every case by name, sorted; kept in `cache`, because the suite takes seconds to make them."""
    kept = cache / f"cases-{onnx.__version__}.pickle"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        rows = [dataclasses.astuple(case) for case in _made()]
        scratch = kept.with_suffix(".new")
        scratch.write_bytes(pickle.dumps(rows))
        scratch.replace(kept)
    return {row[0]: Case(*row) for row in sorted(pickle.loads(kept.read_bytes()), key=lambda row: row[0])}


def _made() -> list[Case]:
    from onnx.backend.test.loader import load_model_tests

    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in KINDS:
            for case in load_model_tests(kind=kind):
                if case.model is not None:
                    model = case.model
                    data = [([_array(v) for v in given], [_array(v) for v in out]) for given, out in case.data_sets]
                else:
                    model = onnx.load(Path(case.model_dir) / "model.onnx")
                    data = _data_sets(Path(case.model_dir), model)
                found.append(Case(case.name, kind, model.SerializeToString(), data, case.rtol, case.atol))
    return found


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _data_sets(folder: Path, model: onnx.ModelProto) -> list[tuple[list[Any], list[Any]]]:
    def load(each: Path, stem: str, ports: Any) -> list[Any]:
        paths = sorted(each.glob(f"{stem}_*.pb"), key=lambda path: int(path.stem.rpartition("_")[2]))
        return [_read(path, port.type) for path, port in zip(paths, ports, strict=False)]

    sets = sorted(folder.glob("test_data_set*"))
    return [(load(each, "input", model.graph.input), load(each, "output", model.graph.output)) for each in sets]


def _read(path: Path, kind: Any) -> Any:
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def by_onnxruntime(model: str | bytes, inputs: Mapping[str, Any]) -> list[Any]:
    """The outputs of a model in onnxruntime with its graph optimizations off."""
    os.environ["ALLOW_RELEASED_ONNX_OPSET_ONLY"] = "0"  # the suite's newest cases bear the opset in the making
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    known = {each.name for each in session.get_inputs()}
    feeds = {name: value for name, value in inputs.items() if name in known}
    if all(_plain(value) for value in feeds.values()) and all(_native(each.type) for each in session.get_outputs()):
        return list(session.run(None, feeds))
    values = {name: _ort_value(onnxruntime, value) for name, value in feeds.items()}
    return [_from_ort(each) for each in session.run_with_ort_values(None, values)]


def _plain(value: Any) -> bool:
    return not isinstance(value, np.ndarray) or value.dtype.type.__module__ == "numpy"


def _native(kind: str) -> bool:
    return not any(word in kind for word in ("bfloat16", "float8", "int4", "float4", "int2"))


def _ort_value(onnxruntime: Any, array: Any) -> Any:
    if _plain(array):
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    if array.dtype.name not in SUB_BYTE:
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array, kind)
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(array.shape), kind)
    packed = numpy_helper.from_array(array).raw_data  # several numbers a byte, as onnxruntime holds them too
    ctypes.memmove(value.data_ptr(), packed, len(packed))
    return value


def _from_ort(value: Any) -> Any:
    if not value.is_tensor():
        return value.numpy()
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.element_type())
    if _plain(np.empty(0, dtype)):
        return value.numpy()
    shape = value.shape()
    if dtype.name in SUB_BYTE:
        packed = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
        tensor = onnx.TensorProto(data_type=value.element_type(), dims=shape, raw_data=packed)
        return numpy_helper.to_array(tensor)
    data = ctypes.string_at(value.data_ptr(), math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape)


def compare(case: Case, expected: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Compares a data set's outputs as the suite does.

    Raises:
        Failed: number, kind, dtype, shape or numbers differ.
    """
    from onnx.backend.test import BackendTest

    if len(outputs) != len(expected):
        raise Failed("compare", f"Expected {len(expected)} outputs. Received {len(outputs)}.")
    for index, (wanted, given) in enumerate(zip(expected, outputs, strict=True)):
        _same_kind(index, wanted, given)
        if wanted is None:
            continue
        pairs = list(zip(wanted, given, strict=True)) if isinstance(wanted, list) else [(wanted, given)]
        for reference, value in pairs:
            try:
                BackendTest.assert_similar_outputs([np.asarray(reference)], [value], case.rtol, case.atol)
            except AssertionError as error:
                raise Failed("compare", f"Output {index}: {_told(str(error))}") from None


def _same_kind(index: int, wanted: Any, given: Any) -> None:
    if (wanted is None) != (given is None) or isinstance(wanted, list) != isinstance(given, list):
        raise Failed("compare", f"Output {index}: expected {_kind(wanted)}. Received {_kind(given)}.")
    if isinstance(wanted, list):
        if len(wanted) != len(given):
            raise Failed("compare", f"Output {index}: expected {len(wanted)} elements. Received {len(given)}.")
        for reference, value in zip(wanted, given, strict=True):
            _same_kind(index, reference, value)
    elif wanted is not None:
        reference = np.asarray(wanted)
        if not isinstance(given, np.ndarray):
            raise Failed("compare", f"Output {index}: expected an array. Received {_kind(given)}.")
        if reference.dtype != given.dtype:
            raise Failed("compare", f"Output {index}: expected {reference.dtype}. Received {given.dtype}.")
        if reference.shape != given.shape:
            raise Failed("compare", f"Output {index}: expected the shape {reference.shape}. Received {given.shape}.")


def _kind(value: Any) -> str:
    return "an array" if isinstance(value, np.ndarray) else "nothing" if value is None else type(value).__name__


def _told(text: str) -> str:
    """The lines of numpy's report that say how much differs."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join(line for line in lines if _MISMATCH.match(line)) or " ".join(lines)


def shorten(reason: str, folder: Path | None = None) -> str:
    """A reason as one line that is the same on every machine."""
    text = reason.replace(str(folder), "") if folder else reason
    text = _ADDRESS.sub("…", " ".join(text.split()))
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def encode(value: Any) -> Any:
    """A value as plain Python, for a process without numpy.

    Raises:
        Failed: strings, or a number type smaller than a byte.
    """
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    array = np.asarray(value)
    if array.dtype.kind in "OUST":
        raise Failed("run", "torch has no tensors of strings")
    if array.dtype.name in SUB_BYTE:
        raise Failed("run", f"torch has no tensors of {array.dtype.name}")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": array.tobytes()}


SUB_BYTE = frozenset({"int4", "uint4", "int2", "uint2", "float4_e2m1fn"})
"""Number types of which torch has no tensors that one can compute with."""


def decode(value: Any) -> Any:
    """The opposite of `encode`; what is no tensor comes as its type's name."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    name = value["dtype"]
    dtype = np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
    return np.frombuffer(value["data"], dtype).reshape(value["shape"])
