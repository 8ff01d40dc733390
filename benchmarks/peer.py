"""Converts one ONNX file with one tool and tells what it took and what came out.

    PYTHON benchmarks/peer.py TOOL MODEL.onnx DATA.npz OUT

Runs in the tool's environment, with tests/zoo on its path. TOOL is onnx2torch, onnx2tf, x2paddle, or
interlingua:TARGET. Prints JSON as its last line: seconds of the conversion, its memory beyond the import, and of the
result how far it is from the source, its trainable parameters and its transposes; or the `reason` why there is none.
DATA holds the source's inputs and outputs.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from forward import module_of

Arrays = list[np.ndarray[Any, Any]]
Result = dict[str, Any]
Finish = Callable[[Arrays], tuple[Arrays, int, int]]
"""Runs what was converted: outputs, trainable parameters, transposes."""

CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""A file that onnx2tf fetches while it converts, unless it lies where it is run: shapes are worked out with it."""


def from_torch(module: Any) -> Finish:
    """What a PyTorch module tells."""

    def finish(inputs: Arrays) -> tuple[Arrays, int, int]:
        import torch

        from permutes import permutes

        tensors = tuple(torch.from_numpy(each) for each in inputs)
        with torch.no_grad():
            outputs = module.eval()(*tensors)
        found = outputs.values() if isinstance(outputs, dict) else outputs
        arrays = [each.numpy() for each in ([found] if isinstance(found, torch.Tensor) else found)]
        trainable = sum(each.numel() for each in module.parameters() if each.requires_grad)
        return arrays, trainable, permutes(module, tensors)

    return finish


def from_tensorflow(model: Any, *, channels_last: bool) -> Finish:
    """What a Keras model tells; `channels_last` images were first turned by the tool."""

    def finish(inputs: Arrays) -> tuple[Arrays, int, int]:
        import tensorflow as tf

        turned = [each.transpose(0, 2, 3, 1) if channels_last and each.ndim == 4 else each for each in inputs]
        tensors = [tf.constant(each) for each in turned]
        given = tensors if len(tensors) > 1 else tensors[0]
        outputs = model(given)
        found = list(outputs.values()) if isinstance(outputs, dict) else outputs
        arrays = [each.numpy() for each in (found if isinstance(found, list | tuple) else [found])]
        trainable = sum(int(np.prod(each.shape)) for each in model.trainable_weights)
        graph = tf.function(model).get_concrete_function(given).graph
        return arrays, trainable, sum(each.type == "Transpose" for each in graph.get_operations())

    return finish


def from_paddle(model: Any, code: str) -> Finish:
    """What a Paddle layer tells; transposes are those that its code spells."""

    def finish(inputs: Arrays) -> tuple[Arrays, int, int]:
        import paddle

        model.eval()
        with paddle.no_grad():
            outputs = model(*(paddle.to_tensor(each) for each in inputs))
        arrays = [each.numpy() for each in (outputs if isinstance(outputs, list | tuple) else [outputs])]
        trainable = sum(int(np.prod(each.shape)) for each in model.parameters() if not each.stop_gradient)
        return arrays, trainable, len(re.findall(r"\btranspose\(", code))

    return finish


def onnx2torch(out: Path) -> Callable[[Path], Callable[[], Finish]]:
    """ONNX to a PyTorch module in memory."""
    import torchvision_shim  # noqa: F401
    from onnx2torch import convert

    def run(path: Path) -> Callable[[], Finish]:
        module = convert(str(path))
        return lambda: from_torch(module)

    return run


def onnx2tf(out: Path) -> Callable[[Path], Callable[[], Finish]]:
    """ONNX to TensorFlow's SavedModel and TFLite."""
    import os

    os.chdir(out)
    np.save(CALIBRATION, np.random.RandomState(0).rand(20, 128, 128, 3).astype(np.float32))
    import onnx2tf as tool

    def run(path: Path) -> Callable[[], Finish]:
        model = tool.convert(input_onnx_file_path=str(path), output_folder_path=str(out / "tf"), non_verbose=True)
        return lambda: from_tensorflow(model, channels_last=True)

    return run


def x2paddle(out: Path) -> Callable[[Path], Callable[[], Finish]]:
    """ONNX to Paddle code with weights."""
    import onnx
    import paddle
    from x2paddle.convert import onnx2paddle

    def run(path: Path) -> Callable[[], Finish]:
        plain = onnx.load(str(path))
        plain.ir_version = min(plain.ir_version, 9)  # its onnx knows no later one
        onnx.save(plain, str(out / "plain.onnx"))
        onnx2paddle(str(out / "plain.onnx"), str(out / "paddle"), convert_to_lite=False, disable_feedback=True)

        def loaded() -> Finish:
            sys.path.insert(0, str(out / "paddle"))
            file = out / "paddle" / "x2paddle_code.py"
            with paddle.utils.unique_name.guard():  # the conversion took the names
                model = module_of(file).ONNXModel()
            model.set_dict(paddle.load(str(out / "paddle" / "model.pdparams")))
            return from_paddle(model, file.read_text())

        return loaded

    return run


def interlingua(out: Path, target: str) -> Callable[[Path], Callable[[], Finish]]:
    """ONNX to code and weights of the target, unverified."""
    import onnx
    import onnx_ir

    from interlingua import pipeline, plugin

    assert onnx.__version__ and onnx_ir.__version__
    framework = plugin.framework(target)
    folder = out / target
    folder.mkdir(exist_ok=True)

    def run(path: Path) -> Callable[[], Finish]:
        pipeline.write(pipeline.read(path).model, framework, folder)

        def loaded() -> Finish:
            model, code = module_of(folder / "model.py").load(), (folder / "model.py").read_text()
            if target == "torch":
                return from_torch(model)
            return from_paddle(model, code) if target == "paddle" else from_tensorflow(model, channels_last=False)

        return loaded

    return run


def peak() -> int:
    """The most memory this process held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def agreement(outputs: Arrays, expected: Arrays) -> float | str:
    """The largest difference over the largest element, or why there is none."""
    if [each.shape for each in outputs] != [each.shape for each in expected]:
        told, wanted = [list(each.shape) for each in outputs], [list(each.shape) for each in expected]
        return f"outputs of shapes {told} instead of {wanted}"
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(outputs, expected, strict=True))


def measure(tool: str, model: Path, data: Path, out: Path) -> Result:
    """Converts, then runs what came out."""
    name, _, target = tool.partition(":")
    makers = {"onnx2torch": onnx2torch, "onnx2tf": onnx2tf, "x2paddle": x2paddle}
    convert = interlingua(out, target) if name == "interlingua" else makers[name](out)
    with np.load(data) as kept:
        inputs, expected = ([kept[key] for key in sorted(kept) if key.startswith(s)] for s in ("input", "output"))
    before, started, cpu = peak(), time.perf_counter(), time.process_time()
    load = convert(model)
    result: Result = {
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - cpu,
        "memory": peak() - before,
    }
    try:
        outputs, trainable, transposes = load()(inputs)
        told = agreement(outputs, expected)
        found = {"relative": told} if isinstance(told, float) else {"reason": told}
        return {**result, **found, "trainable": trainable, "transposes": transposes}
    except BaseException as error:  # a tool's result fails in any way
        return {**result, "reason": f"its result does not run: {first_line(error)}"}


def first_line(error: BaseException) -> str:
    """The class and the first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def main() -> None:
    """Prints the measurement."""
    tool, model, data, out = sys.argv[1], *(Path(each).resolve() for each in sys.argv[2:5])
    out.mkdir(parents=True, exist_ok=True)
    try:
        found = measure(tool, model, data, out)
    except BaseException as error:  # tools also end by SystemExit
        found = {"reason": first_line(error)}
    print("\n" + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
