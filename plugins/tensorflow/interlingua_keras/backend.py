"""Writes Keras: a functional model built by `build()`, its weights in safetensors, `load()` to have both."""

from __future__ import annotations

import ast
import json
import re

import onnx_ir as ir

from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.lowering import lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES
from interlingua_keras.functional import HELPER, PARAMETER, Functional, functional
from interlingua_keras.lowering import lowers

DIALECT = Dialect(
    framework="keras",
    abbreviations=(
        Abbreviation("keras.layers", "layers", "from keras import layers"),
        Abbreviation("keras.ops", "ops", "from keras import ops"),
        Abbreviation("keras", "keras", "import keras"),
    ),
    lowerings=lowers,
    reserved=frozenset(
        {
            "self",
            "load",
            "build",
            "load_file",
            "Path",
            "keras",
            "layers",
            "ops",
            "model",
            "values",
            "weights",
            PARAMETER,
        }
    ),
    data_axes="N * C",
    fuses=frozenset(),
    reuses_inputs=False,
)

_LOAD = """
model = build()
values = load_file(weights)
if set(values) != {variable.path for variable in model.weights}:
    raise ValueError(f"Expected the weights of this model. Received other names in {weights}.")
for variable in model.weights:
    variable.assign(values[variable.path])
return model
"""

_GENERIC = frozenset({"", "main_graph", "main", "graph", "torch_jit", "tf2onnx", "model"})


def source(program: Program, form: Functional, request: WriteRequest) -> str:
    """The text of model.py."""
    imports = {
        "import keras",
        "from keras import layers",
        "from safetensors.numpy import load_file",
        "from pathlib import Path",
    }
    imports |= program.imports
    text = ast.unparse(ast.Module([item.statement for item in form.body if hasattr(item, "statement")], []))
    if "layers." not in text and not form.helper:
        imports.discard("from keras import layers")
    helper: list[Item] = list(code(HELPER)) if form.helper else []
    body: list[Item] = [
        *helper,
        Suite(function_header("build", ""), form.body, "The model, freshly initialised."),
        Suite(
            function_header("load", 'weights=Path(__file__).with_name("weights.safetensors")'),
            code(_LOAD),
            "The model with its weights.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports), body)


def _model_name(model: ir.Model, request: WriteRequest) -> str:
    wanted = request.options.class_name or model.graph.name or ""
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", wanted).strip("_.-")
    return "model" if name in _GENERIC else name


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what Keras cannot say, all at once.
    """
    name = _model_name(model, request)
    program, mapped = lower(model, DIALECT, "Model")
    form = functional(program, [row.api for row in mapped], name)
    (request.folder / "model.py").write_text(source(program, form, request), encoding="utf-8")
    origins = {key: str(weight.origin) for key, weight in form.weights.items()}
    names = {NAMES: json.dumps(origins, sort_keys=True)}
    request.write_weights(form.weights, names)
    return Package(
        form.ports,
        tuple(program.outputs),
        mapped,
        origins,
        form.names | form.again,
        {"names": {"layers": form.names, "weights": origins}},
    )
