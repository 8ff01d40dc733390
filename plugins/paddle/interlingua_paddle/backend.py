"""Writes Paddle: a `paddle.nn.Layer` with `load()`, and its state dict in safetensors."""

from __future__ import annotations

import ast
import json

import onnx_ir as ir

from interlingua.codegen.classes import layers, model_class
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.expressions import assign, call
from interlingua.codegen.lowering import lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Line, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES
from interlingua.errors import UnsupportedModel
from interlingua_paddle.lowering import activation, lowers

MODULES = (activation,)
"""The families of lowerings; importing them fills `lowers`."""

_LAYER = """
add_module add_parameter add_sublayer apply astype backward bfloat16 buffers children clear_gradients cpu
create_parameter create_tensor create_variable cuda double eval extra_repr float float16 forward full full_name
get_buffer get_extra_state get_parameter get_sublayer get_submodule half load_dict load_state_dict modules
named_buffers named_children named_modules named_parameters named_sublayers parameters register_buffer
register_forward_hook register_forward_post_hook register_forward_pre_hook register_module register_parameter
register_state_dict_hook requires_grad_ set_dict set_state_dict set_sublayer set_submodule sharded_state_dict
state_dict sublayers to to_static_state_dict train type xpu zero_grad
"""
"""Names that `paddle.nn.Layer` has: a layer so called would hide behind the method."""

DIALECT = Dialect(
    framework="paddle",
    abbreviations=(
        Abbreviation("paddle.nn.functional", "F", "import paddle.nn.functional as F"),
        Abbreviation("paddle.nn", "nn", "from paddle import nn"),
        Abbreviation("paddle", "paddle", "import paddle"),
    ),
    lowerings=lowers,
    identity="paddle.assign",
    reserved=frozenset({"self", "load", "load_file", "Path", "training", *_LAYER.split()}),
)

_LOAD = """
model = {name}(){cast}
missing, unexpected = model.set_state_dict(load_file(weights))
if missing or unexpected:
    raise ValueError(f"{{weights}} does not fit the model: missing {{missing}}, unexpected {{unexpected}}")
model.eval()
return model
"""


def _tensors(program: Program) -> list[Item]:
    """Weights that stand by themselves: parameters, or buffers where nothing trains them."""
    rows: list[Item] = []
    for tensor in program.tensors:
        dtype = tensor.weight.tensor.dtype
        said = {} if dtype == ir.DataType.FLOAT else {"dtype": dtype.numpy().name}
        shape = list(tensor.weight.shape)
        if tensor.trainable:
            rows.append(Line(assign([f"self.{tensor.attribute}"], call("self.create_parameter", [shape], said))))
        else:
            empty = call("paddle.empty", [shape], said)
            rows.append(Line(ast.Expr(call("self.register_buffer", [tensor.attribute, empty]))))
    return rows


def _cast(program: Program) -> str:
    """The statement that gives layers, which Paddle makes as float32, the type of their weights; "" for float32.

    Raises:
        UnsupportedModel: the layers' weights are of several floating types.
    """
    dtypes = {weight.tensor.dtype for layer in program.layers for weight in layer.weights.values()}
    floating = sorted(dtype.numpy().name for dtype in dtypes if dtype.is_floating_point())
    if len(floating) > 1:
        raise UnsupportedModel(f"Expected layers with weights of one floating type. Received {', '.join(floating)}.")
    return "" if floating in ([], ["float32"]) else f'\nmodel.to(dtype="{floating[0]}")'


def source(program: Program, request: WriteRequest) -> str:
    """The text of model.py."""
    imports = {
        *program.imports,
        "from pathlib import Path",
        "from paddle import nn",
        "from safetensors.paddle import load_file",
    }
    if any(not tensor.trainable for tensor in program.tensors):
        imports.add("import paddle")
    body: list[Item] = [
        model_class(program, "nn.Layer", [*layers(program), *_tensors(program)], "forward"),
        Suite(
            function_header("load", 'weights=Path(__file__).with_name("weights.safetensors")'),
            code(_LOAD.format(name=program.name, cast=_cast(program))),
            "The model with its weights, in inference mode; `.train()` goes on training it.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports), body)


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what Paddle cannot say, all at once.
    """
    program, mapped = lower(model, DIALECT, request.options.class_name or "Model")
    (request.folder / "model.py").write_text(source(program, request), encoding="utf-8")
    metadata = {NAMES: json.dumps(program.source_names(), sort_keys=True)}
    request.write_weights(program.weights(), metadata)
    return Package(
        tuple(program.inputs),
        tuple(program.outputs),
        mapped,
        program.source_names(),
        materialise={"layers": {layer.attribute: layer.source for layer in program.layers}},
        layers=dict(program.names),
    )
