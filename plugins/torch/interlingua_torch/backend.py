"""Writes PyTorch: a `torch.nn.Module` with `load()`, and its state dict in safetensors."""

from __future__ import annotations

import ast
import json

import onnx_ir as ir
from interlingua.codegen.classes import layers, model_class
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.expressions import assign, call, parse
from interlingua.codegen.lowering import lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Line, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES, write_safetensors

from interlingua_torch.lowering import lowers

DIALECT = Dialect(
    framework="torch",
    abbreviations=(
        Abbreviation("torch.nn.functional", "F", "import torch.nn.functional as F"),
        Abbreviation("torch.nn", "nn", "from torch import nn"),
        Abbreviation("torch", "torch", "import torch"),
    ),
    lowerings=lowers,
    reserved=frozenset({"self", "load", "load_file", "Path", "training", "forward"}),
)

_LOAD = """
model = {name}()
model.load_state_dict(load_file(weights), strict=True)
return model.eval()
"""


def _tensors(program: Program) -> list[Item]:
    rows: list[Item] = []
    for tensor in program.tensors:
        zeros = call("torch.empty", list(tensor.weight.shape), _dtype(tensor.weight.tensor.dtype))
        if tensor.trainable:
            rows.append(Line(assign([f"self.{tensor.attribute}"], call("nn.Parameter", [zeros]))))
        else:
            rows.append(Line(ast.Expr(call("self.register_buffer", [tensor.attribute, zeros]))))
    return rows


def _dtype(dtype: ir.DataType) -> dict[str, object]:
    return {} if dtype == ir.DataType.FLOAT else {"dtype": parse(f"torch.{dtype.numpy().name}")}


def source(program: Program, request: WriteRequest) -> str:
    """The text of model.py."""
    imports = {*program.imports, "from torch import nn", "from safetensors.torch import load_file", "from pathlib import Path"}
    if program.tensors:
        imports.add("import torch")
    body: list[Item] = [
        model_class(program, "nn.Module", [*layers(program), *_tensors(program)], "forward"),
        Suite(
            function_header("load", 'weights=Path(__file__).with_name("weights.safetensors")'),
            code(_LOAD.format(name=program.name)),
            "The model with its weights, in inference mode; `.train()` goes on training it.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports), body)


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what PyTorch cannot say, all at once.
    """
    program, mapped = lower(model, DIALECT, request.options.class_name or "Model")
    (request.folder / "model.py").write_text(source(program, request), encoding="utf-8")
    metadata = {NAMES: json.dumps(program.source_names(), sort_keys=True)}
    write_safetensors(request.folder / "weights.safetensors", program.weights(), metadata)
    return Package(tuple(program.inputs), tuple(program.outputs), mapped, program.source_names(), program.names)
