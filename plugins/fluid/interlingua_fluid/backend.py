"""Writes Fluid: a function that builds the network, a model that runs it, and its weights in safetensors."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Sequence

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.classes import statements
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.lowering import arranged, lower
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Port, Program
from interlingua.codegen.source import Item, Line, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.weights import NAMES
from interlingua.notes import Changed
from interlingua_fluid.lowering import elementwise, layers, linear, lowers, pooling, shape
from interlingua_fluid.naming import Parameters, start
from interlingua_fluid.repetition import factored

MODULES = (elementwise, layers, linear, pooling, shape)
_TENSORS = "parameters"

DIALECT = Dialect(
    framework="fluid",
    abbreviations=(Abbreviation("paddle.fluid", "fluid", "import paddle.fluid as fluid"),),
    lowerings=lowers,
    reserved=frozenset({"np", "Path", "load", "network", "safe_open", _TENSORS}),
    tensor=f"{_TENSORS}.{{name}}",
)

_CONSTRUCTOR = """
self.program = fluid.Program()
self.startup_program = fluid.Program()
with fluid.program_guard(self.program, self.startup_program), fluid.unique_name.guard():
    self.inputs = []
    self.outputs = {outputs}
self.inference_program = self.program.clone(for_test=True)
self.scope = fluid.Scope()
self.executor = fluid.Executor(fluid.CPUPlace())
"""

_CALL = """
feed = {variable.name: np.asarray(array) for variable, array in zip(self.inputs, arrays)}
with fluid.scope_guard(self.scope):
    outputs = self.executor.run(self.inference_program, feed=feed, fetch_list=self.outputs)
return outputs[0] if len(outputs) == 1 else outputs
"""

_LOAD_WEIGHTS = """
variables = {v.name: v for v in self.program.list_vars() if v.persistable}
with safe_open(str(path), framework="np") as file:
    if set(file.keys()) != set(variables):
        raise ValueError("Expected weights {}. Received {}.".format(sorted(variables), sorted(file.keys())))
    for name, variable in variables.items():
        array = file.get_tensor(name)
        if array.shape != variable.shape:
            raise ValueError("Expected {} of shape {}. Received {}.".format(name, variable.shape, array.shape))
        self.scope.var(name).get_tensor().set(array, fluid.CPUPlace())
"""

_SAVE = """
program = self.inference_program.clone()
feeds = [variable.name for variable in self.inputs]
targets = [program.global_block().var(variable.name) for variable in self.outputs]
with fluid.scope_guard(self.scope), fluid.unique_name.guard():
    fluid.io.save_inference_model(
        str(folder), feeds, targets, self.executor, program, params_filename=params_filename
    )
"""

_LOAD = """
model = {name}()
model.load_weights(weights)
return model
"""


class _Inline(ast.NodeTransformer):
    """Replaces `parameters.<attribute>` by the call that makes the parameter."""

    def __init__(self, made: dict[str, ast.expr]) -> None:
        self._made = made

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replaces one reference."""
        if isinstance(node.value, ast.Name) and node.value.id == _TENSORS:
            return copy.deepcopy(self._made[node.attr])
        return self.generic_visit(node)


def _standing_tensors(program: Program, names: Parameters) -> dict[str, ast.expr]:
    """The calls that make the tensors no layer owns, by attribute."""
    made: dict[str, ast.expr] = {}
    for tensor in program.tensors:
        # Fluid has no tensors without axes.
        weight = tensor.weight if tensor.weight.shape else tensor.weight.then(("reshape", (1,)))
        name = names.name(weight)
        shape, dtype = list(weight.shape), tensor.weight.tensor.dtype.numpy().name
        if tensor.trainable:
            made[tensor.attribute] = expressions.call("fluid.layers.create_parameter", [shape, dtype], {"name": name})
        else:
            made[tensor.attribute] = expressions.call(
                "fluid.layers.create_global_var", [shape, 0, dtype], {"persistable": True, "name": name}
            )
    return made


def _placeholder(port: Port) -> ast.expr:
    """The call that makes an input."""
    shape = None if port.shape is None else [size if isinstance(size, int) else None for size in port.shape]
    facts = Facts("placeholder", {"name": port.name, "shape": shape, "dtype": port.dtype.numpy().name})
    card, keywords = cards.choose("fluid", facts)
    positional, named = arranged(card, keywords)
    short, _ = DIALECT.spell(card.api)
    return expressions.call(short, positional, named)


def _constructor(program: Program) -> list[Item]:
    built = "network(*self.inputs)"
    tree = ast.parse(_CONSTRUCTOR.format(outputs=f"[{built}]" if len(program.outputs) == 1 else f"list({built})"))
    placeholders = ast.List([_placeholder(port) for port in program.inputs], ast.Load())
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.inputs":
            node.value = placeholders
    return [Line(statement) for statement in tree.body]


def _class_header(name: str) -> ast.ClassDef:
    tree = ast.parse(f"class {name}: pass").body[0]
    assert isinstance(tree, ast.ClassDef)
    return tree


def _signature(program: Program) -> str:
    return ", ".join(port.identifier for port in program.inputs)


def _shapes(ports: Sequence[Port]) -> str:
    return ", ".join(
        f"{port.identifier} [{', '.join('N' if not isinstance(size, int) else str(size) for size in port.shape or ())}]"
        for port in ports
    )


def source(program: Program, request: WriteRequest) -> str:
    """The text of model.py."""
    imports = {
        "from pathlib import Path",
        "import numpy as np",
        "import paddle.fluid as fluid",
        "from safetensors import safe_open",
    }
    methods: list[Item] = [
        Suite(function_header("__init__", "self"), _constructor(program)),
        Suite(function_header("__call__", "self, *arrays"), code(_CALL), "Runs the network on numpy arrays."),
        Suite(
            function_header("load_weights", "self, path"),
            code(_LOAD_WEIGHTS),
            "Sets every parameter from a safetensors file that holds exactly these.",
        ),
        Suite(
            function_header("save", "self, folder, params_filename=None"),
            code(_SAVE),
            "Saves an inference model: a file for each variable, or all in `params_filename`.",
        ),
    ]
    body: list[Item] = [
        *factored(program),
        Suite(
            function_header("network", _signature(program)),
            statements(program),
            f"Builds the network on {_shapes(program.inputs)}.",
        ),
        Suite(
            _class_header(program.name),
            methods,
            "The network with its weights: `program` to train, `inference_program` to run.",
        ),
        Suite(
            function_header("load", 'weights=Path(__file__).with_name("weights.safetensors")'),
            code(_LOAD.format(name=program.name)),
            "The model with its weights.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports), body, python="py37")


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what Fluid cannot say, all at once.
    """
    names = start(model)
    program, mapped = lower(model, DIALECT, request.options.class_name or "Model")
    for row in mapped:
        if row.op == "BatchNormalization" and row.api == layers.ARITHMETIC:
            text = "written as arithmetic, which batch_norm refuses: stored statistics hold in training too"
            request.options.notes.add(Changed(row.layer, text))
    made = _standing_tensors(program, names)
    for statement in program.statements:
        statement.value = _Inline(made).visit(statement.value)
    origins = {name: str(weight.origin) for name, weight in names.weights.items()}
    (request.folder / "model.py").write_text(source(program, request), encoding="utf-8")
    metadata = {NAMES: json.dumps(origins, sort_keys=True)}
    request.write_weights(names.weights, metadata)
    return Package(tuple(program.inputs), tuple(program.outputs), mapped, origins, program.names)
