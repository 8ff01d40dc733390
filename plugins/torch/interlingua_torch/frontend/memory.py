"""Reads modules and exported programs that live in the caller's process; PyTorch is the caller's own, imported here."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua.artifact import Artifact, Local, ReadOptions, Source
from interlingua.errors import UsageError
from interlingua.proof.compare import Array
from interlingua.scratch import scratch_folder
from interlingua_torch.frontend.exported import check, model_of


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The module, exported here and now in inference mode; its training state and its buffers stay as they were.

    Raises:
        UsageError: a module came without example inputs.
        UnsupportedModel: none of PyTorch's exporters takes it.
    """
    from interlingua_torch import runtime_memory
    from interlingua_torch.runtime_values import Problem

    value = artifact.facts["value"]
    if options.example_inputs is None and not runtime_memory.is_program(value):
        raise UsageError(
            f"Expected example_inputs for the module {type(value).__name__}. Received none.",
            hint="A tensor, a tuple, a dict of keyword arguments, or (args, kwargs).",
        )
    try:
        told, examples, call = runtime_memory.export(
            value, options.example_inputs, options.dynamic, str(scratch_folder(options))
        )
    except Problem as problem:
        check(problem.told)
        raise  # `check` raises
    model = model_of(told, options)

    def run(arrays: Mapping[str, Array]) -> list[Array]:
        outputs: list[Array] = call(arrays)
        return outputs

    local = Local(run, runtime_memory.versions())
    return Source(model, artifact, "", {}, options.notes, examples=examples, local=local)
