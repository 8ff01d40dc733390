"""Writes TensorFlow: a `tf.Module` with `load()`, and its variables in safetensors."""

from __future__ import annotations

import ast
import json
import re

import onnx_ir as ir

from interlingua.codegen.classes import statements
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.expressions import assign, call, parse
from interlingua.codegen.lowering import lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Port, Program, Tensor
from interlingua.codegen.source import Item, Line, Suite, class_header, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES, Weight
from interlingua.ir import metadata
from interlingua.ir.origin import Parameter, is_permutation, parameters
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import biases_behind, refuse_channels_first
from interlingua_tensorflow.lowering.normalization import TRAINING

_OF_MODULE = (
    "name",
    "name_scope",
    "non_trainable_variables",
    "submodules",
    "trainable_variables",
    "variables",
    "with_name_scope",
)
DIALECT = Dialect(
    framework="tensorflow",
    abbreviations=(Abbreviation("tf", "tf", "import tensorflow as tf"),),
    lowerings=lowers,
    reserved=frozenset({"self", "tf", "load", "safe_open", "Path", TRAINING, *_OF_MODULE}),
    data_axes="N * C",
    fuses=frozenset({"activation"}),
    identity="tf.identity",
)

_LOAD = """
model = {name}()
with safe_open(weights, framework="numpy") as file:
    for variable in model.variables:
        variable.assign(file.get_tensor(variable.name.removesuffix(":0")))
return model
"""
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.\-/]")


def legal(name: str) -> str:
    """A name that TensorFlow takes for a node: what it cannot hold becomes an underscore."""
    plain = _ILLEGAL.sub("_", name).strip("/")
    return plain if re.match(r"[A-Za-z0-9.]", plain) else f"v{plain}"


def variable_names(program: Program) -> dict[str, str]:
    """The name of each variable by its attribute: the source parameter's where it holds one parameter, else its own."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for tensor in program.tensors:
        origin = tensor.weight.origin
        single = isinstance(origin, Parameter) or is_permutation(origin)
        stem = name = legal(parameters(origin)[0]) if single else tensor.attribute
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        found[tensor.attribute] = name
    return found


def _variable(tensor: Tensor, name: str) -> Item:
    dtype = tensor.weight.tensor.dtype
    kind = {} if dtype == ir.DataType.FLOAT else {"dtype": parse(f"tf.{dtype.numpy().name}")}
    zeros = call("tf.zeros", [list(tensor.weight.shape)], kind)
    fixed = {} if tensor.trainable else {"trainable": False}
    return Line(assign([f"self.{tensor.attribute}"], call("tf.Variable", [zeros], {**fixed, "name": name})))


def _class(program: Program, names: dict[str, str]) -> Suite:
    body = statements(program)
    trains = any(
        isinstance(part, ast.Name) and part.id == TRAINING for row in program.statements for part in ast.walk(row.value)
    )
    arguments = ", ".join(
        ["self", *(port.identifier for port in program.inputs), *([f"{TRAINING}=False"] if trains else [])]
    )
    variables = [_variable(tensor, names[tensor.attribute]) for tensor in program.tensors]
    return Suite(
        class_header(program.name, "tf.Module"),
        [
            Suite(function_header("__init__", "self"), [*code("super().__init__()"), *variables]),
            Suite(function_header("__call__", arguments), body),
        ],
    )


def source(program: Program, request: WriteRequest, names: dict[str, str]) -> str:
    """The text of model.py."""
    imports = {
        *program.imports,
        "import tensorflow as tf",
        "from pathlib import Path",
        "from safetensors import safe_open",
    }
    body: list[Item] = [
        _class(program, names),
        Suite(
            function_header("load", 'weights=Path(__file__).with_name("weights.safetensors")'),
            code(_LOAD.format(name=program.name)),
            "The model with its weights.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports), body)


def _layers(model: ir.Model, program: Program) -> dict[str, str]:
    """The source layer that each variable belongs to, by attribute: what `trace` names its values after."""
    by_value = {
        value: metadata.place(node).layer
        for node in reversed(list(model.graph))
        for value in node.inputs
        if value is not None
    }
    return {
        tensor.attribute: by_value[tensor.weight.value] for tensor in program.tensors if tensor.weight.value in by_value
    }


def _names_of(ports: list[Port]) -> list[str]:
    return [legal(port.name) for port in ports]


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what TensorFlow cannot say, all at once.
    """
    refuse_channels_first(model)
    biases_behind(model)
    program, mapped = lower(model, DIALECT, request.options.class_name or "Model")
    names = variable_names(program)
    (request.folder / "model.py").write_text(source(program, request, names), encoding="utf-8")
    weights: dict[str, Weight] = {names[tensor.attribute]: tensor.weight for tensor in program.tensors}
    origins = {name: str(weight.origin) for name, weight in weights.items()}
    told = {NAMES: json.dumps(origins, sort_keys=True)}
    request.write_weights(weights, told)
    return Package(
        tuple(program.inputs),
        tuple(program.outputs),
        mapped,
        origins,
        _layers(model, program),
        {"names": _names_of(program.inputs), "outputs": _names_of(program.outputs)},
    )
