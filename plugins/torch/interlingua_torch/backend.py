"""Writes PyTorch: a `torch.nn.Module` with `load()`, and its state dict in safetensors."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

import onnx_ir as ir

from interlingua.codegen.classes import layers, model_class
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.expressions import assign, call, parse
from interlingua.codegen.helpers import copied
from interlingua.codegen.lowering import lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Line, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES
from interlingua_torch.lowering import lowers

_MODULE = """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type xpu zero_grad
"""
"""Names of `torch.nn.Module` that a layer must not take."""

LAYERS = "interlingua.layers"
"""Key of the safetensors metadata that maps layers to those of the source, as JSON."""

DIALECT = Dialect(
    framework="torch",
    abbreviations=(
        Abbreviation("torch.nn.functional", "F", "import torch.nn.functional as F"),
        Abbreviation("torch.nn", "nn", "from torch import nn"),
        Abbreviation("torch", "torch", "import torch"),
    ),
    lowerings=lowers,
    reserved=frozenset({"self", "load", "load_model", "Path", *_MODULE.split()}),
    reuses_layers=True,
    computes=True,
    tensor_of="torch.tensor",
    helpers="interlingua_torch.helpers",
)

_LOAD = """
model = {name}()
load_model(model, weights)
return model.eval()
"""


def _tensors(program: Program, ties: Mapping[str, str]) -> list[Item]:
    """Weights that stand by themselves: parameters, or buffers where nothing trains them."""
    rows: list[Item] = []
    for tensor in program.tensors:
        empty = call("torch.empty", list(tensor.weight.shape) or [()], _dtype(tensor.weight.tensor.dtype))
        if tensor.attribute in ties:
            continue
        if tensor.trainable:
            rows.append(Line(assign([f"self.{tensor.attribute}"], call("nn.Parameter", [empty]))))
        else:
            rows.append(Line(ast.Expr(call("self.register_buffer", [tensor.attribute, empty]))))
    return rows


def _tied(ties: Mapping[str, str]) -> list[Item]:
    """One parameter under several names, as in the source."""
    return [Line(assign([f"self.{name}"], parse(f"self.{first}"))) for name, first in ties.items()]


def _dtype(dtype: ir.DataType) -> dict[str, object]:
    return {} if dtype == ir.DataType.FLOAT else {"dtype": parse(f"torch.{dtype.numpy().name}")}


def source(program: Program, request: WriteRequest) -> str:
    """The text of model.py."""
    ties = program.ties()
    imports = {
        *program.imports,
        "from pathlib import Path",
        "from torch import nn",
        "from safetensors.torch import load_model",
    }
    tensors = _tensors(program, ties)
    if tensors:
        imports.add("import torch")
    functions, needed = copied(DIALECT.helpers, program.helpers)
    imports |= needed
    body: list[Item] = [
        *(Line(function) for function in functions),
        model_class(program, "nn.Module", [*layers(program), *tensors, *_tied(ties)], "forward"),
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
    layers_named = {layer.attribute: layer.source for layer in program.layers}
    metadata = {
        NAMES: json.dumps(program.source_names(), sort_keys=True),
        LAYERS: json.dumps(layers_named, sort_keys=True),
    }
    ties = program.ties()
    kept = {name: weight for name, weight in program.weights().items() if name not in ties}
    request.write_weights(kept, metadata)
    return Package(
        tuple(program.inputs), tuple(program.outputs), mapped, program.source_names(), layers=dict(program.names)
    )
