"""Exports and runs modules of the caller's own process; the only file of ours that runs PyTorch outside a worker."""

import contextlib
import platform

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from . import runtime_facts as facts
from .runtime_export import Model, export_module, export_program
from .runtime_transformers import plain
from .runtime_values import TAG, arguments, flat, results, tensors_of, to_array


def versions():
    """The versions that a proof is stamped with."""
    return {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]}


def is_program(value):
    """Whether the value is an exported program, which brings its own example."""
    return isinstance(value, torch.export.ExportedProgram)


@contextlib.contextmanager
def _inference(module):
    """The module in inference mode while the block lasts; every module's own state comes back after it."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode


def _tensor(value):
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _array(value):
    """An array with the dtype that numpy's users know: ml_dtypes has those that numpy lacks."""
    array = to_array(value)
    tag = (array.dtype.metadata or {}).get(TAG)
    if tag:
        import ml_dtypes

        return array.view(np.dtype(getattr(ml_dtypes, tag)))
    return array


def export(value, given, dynamic, folder):
    """What there is to know of the module or program, its example as arrays, and a function that runs it on others.

    Raises:
        Problem: none of PyTorch's exporters takes it.
    """
    if is_program(value):
        told = export_program(value, folder)
        example = value.example_inputs
        rows = facts.input_rows(told["call"])
        tensors = [each for each in flat(example) if isinstance(each, torch.Tensor)] if example else []
        arrays = {row["leaf"]: _array(each) for row, each in zip(rows, tensors, strict=False)}
        return told, arrays, _caller(value.module(), told, torch.device("cpu"))
    args, kwargs = facts.split_inputs(value, tree_map(_tensor, given))
    device = next((each.device for each in flat((args, kwargs)) if isinstance(each, torch.Tensor)), torch.device("cpu"))
    with _inference(value):
        model = Model(value, args, kwargs, dynamic)
        told = export_module(model, folder)
    arrays = {name: _array(tensor) for name, tensor in model.example().items()}
    return told, arrays, _caller(value, told, device, (model.args, model.kwargs))


def _caller(module, told, device, example=None):
    """The function that runs the module on arrays by input name and gives its outputs in order.

    Arguments come back in the classes of the example, which trees do not tell.
    """
    call, rows = told["call"], results(told["returns"])
    leaves, shape = tree_flatten(example)

    def run(arrays):
        inference = _inference(module) if example is not None else contextlib.nullcontext()
        buffers, chance = facts.buffers_kept(module), torch.random.fork_rng(devices=[])
        with inference, buffers, chance, torch.no_grad(), plain():
            torch.manual_seed(0)
            values = {name: tensor.to(device) for name, tensor in tensors_of(call, arrays).items()}
            args, kwargs = arguments(call, values)
            if example is not None:
                given = iter(values.values())
                args, kwargs = tree_unflatten(
                    [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves], shape
                )
            outputs = flat(module(*args, **kwargs))
        return [_array(value) for value, row in zip(outputs, rows, strict=True) if "leaf" in row]

    return run
