"""Writes PyTorch: a `torch.nn.Module` with `load()`, and its state dict in safetensors."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Mapping

import onnx_ir as ir

from interlingua.codegen.classes import layers, model_class
from interlingua.codegen.constructs import Spelling
from interlingua.codegen.dialect import Abbreviation, Dialect
from interlingua.codegen.expressions import assign, call, method, parse
from interlingua.codegen.helpers import copied
from interlingua.codegen.lowering import lower
from interlingua.codegen.modules import Modules, has_modules, has_state, modules_code
from interlingua.codegen.package import Mapped, Package, WriteRequest
from interlingua.codegen.patterns import Repeats, may_repeat, repeats
from interlingua.codegen.program import Program, Tensor
from interlingua.codegen.signature import SIGNATURE, Call, as_called, call_of
from interlingua.codegen.source import Item, Line, Suite, code, function_header, render, sorted_imports
from interlingua.codegen.structure import Unstructured, attribute_of
from interlingua.codegen.weights import NAMES, Weight
from interlingua.codegen.words import Words
from interlingua.ir import metadata
from interlingua.ir.origin import Constant
from interlingua.notes import Approximated, Dropped, Notes
from interlingua.passes import run
from interlingua.passes.forms import ATTENTION, OTHERS, to_forms
from interlingua.passes.raising import JoinSlices
from interlingua.passes.unused import RemoveUnused
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.moves import MOVES
from interlingua_torch.lowering.recurrent import fits
from interlingua_torch.stacks import stack_layers

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

_FRESH = frozenset(
    {"Add", "BatchNormalization", "Concat", "Conv", "ConvTranspose", "Div", "Gemm", "MatMul", "Mul", "Sub"}
)
"""Ops whose results are new memory that no gradient reads again."""

_LAYERS = {
    "torch.nn.functional.interpolate": ("torch.nn.Upsample", ("size", "scale_factor", "mode", "align_corners")),
    "torch.nn.functional.pixel_shuffle": ("torch.nn.PixelShuffle", ("upscale_factor",)),
    "torch.nn.functional.pixel_unshuffle": ("torch.nn.PixelUnshuffle", ("downscale_factor",)),
}
"""What a chain of layers says with a layer; resizing with `antialias` has none."""

DIALECT = Dialect(
    framework="torch",
    abbreviations=(
        Abbreviation("torch.nn.functional", "F", "import torch.nn.functional as F"),
        Abbreviation("torch.nn", "nn", "from torch import nn"),
        Abbreviation("torch", "torch", "import torch"),
    ),
    lowerings=lowers,
    reserved=frozenset({"self", "load", "load_model", "Path", "WEIGHTS", *_MODULE.split()}),
    reuses_layers=True,
    computes=True,
    tensor_of="torch.tensor",
    layer_dtype="dtype",
    helpers="interlingua_torch.helpers",
    moves=MOVES,
    limits="torch.finfo",
    in_place="inplace",
    overwritable=_FRESH,
    layers=_LAYERS,
)

STRUCTURED = dataclasses.replace(DIALECT, structured=True, keeps_state=True)
"""As models are written whose source tells of its modules."""

_LOAD = """
model = {name}()
load_model(model, weights)
return model.eval()
"""

_LOAD_CONSTANTS = """
model = {name}()
state = load_file(weights)
for name in [name for name in state if name not in model.state_dict()]:
    model.get_buffer(name).copy_(state.pop(name))
{ties}
model.load_state_dict(state)
return model.eval()
"""


def _empty(tensor: Tensor) -> ast.expr:
    return call("torch.empty", list(tensor.weight.shape) or [()], _dtype(tensor.weight.tensor.dtype))


def _parameter(tensor: Tensor) -> ast.expr:
    frozen = {"requires_grad": False} if metadata.role(tensor.weight.value) == "frozen" else {}
    return call("nn.Parameter", [_empty(tensor)], frozen)


def _own_tensor(name: str, tensor: Tensor) -> ast.stmt:
    """A weight that stands by itself in a module: a parameter, or a buffer where nothing trains it."""
    if tensor.trainable:
        return assign([f"self.{name}"], _parameter(tensor))
    said = {} if _is_kept(tensor) else {"persistent": False}
    return ast.Expr(call("self.register_buffer", [name, _empty(tensor)], said))


def _is_kept(tensor: Tensor) -> bool:
    """Whether the source's state dict holds the tensor."""
    origin = tensor.weight.origin
    return metadata.role(tensor.weight.value) in ("buffer", "parameter", "frozen") or not isinstance(origin, Constant)


_INPUTS = ("in_channels", "in_features", "input_size")
_OUTPUTS = ("out_channels", "out_features")

WORDS = Words(
    inputs=_INPUTS,
    outputs=_OUTPUTS,
    widths=frozenset(
        {*_INPUTS, *_OUTPUTS, "num_features", "num_channels", "normalized_shape", "embedding_dim", "hidden_size"}
    ),
    usual={"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    kernel="kernel_size",
    padding="padding",
    reshapes=frozenset({"reshape", "view"}),
    splits="unflatten",
    turns=("permute", "transpose"),
    attends="scaled_dot_product_attention",
    weighs="softmax",
    operands=("query", "key", "value"),
)

SPELLING = Spelling(
    base="nn.Module",
    sequential="nn.Sequential",
    listed="nn.ModuleList",
    mapped="nn.ModuleDict",
    parameters="nn.ParameterList",
    nothing="nn.Identity",
    ordering="from collections import OrderedDict",
    children="self.children()",
    adding="self.add_module",
    slices="unbind",
    words=WORDS,
    tensor=_own_tensor,
    parameter=_parameter,
)


def _tensors(program: Program, ties: Mapping[str, str]) -> list[Item]:
    """Weights that stand by themselves: parameters, or buffers where nothing trains them."""
    rows: list[Item] = []
    for tensor in program.tensors:
        if tensor.attribute in ties:
            continue
        if tensor.trainable:
            rows.append(Line(assign([f"self.{tensor.attribute}"], _parameter(tensor))))
        else:
            rows.append(Line(ast.Expr(call("self.register_buffer", [tensor.attribute, _empty(tensor)]))))
    return rows


def _tied(ties: Mapping[str, str]) -> list[Item]:
    """One parameter under several names, as in the source."""
    return [Line(assign([f"self.{name}"], parse(f"self.{first}"))) for name, first in ties.items()]


def _dtype(dtype: ir.DataType) -> dict[str, object]:
    return {} if dtype == ir.DataType.FLOAT else {"dtype": parse(f"torch.{dtype.numpy().name}")}


def _flat(program: Program) -> list[Item]:
    """The model as one class."""
    ties = program.ties()
    rows = [*layers(program), *_tensors(program, ties), *_tied(ties)]
    return [model_class(program, "nn.Module", rows, "forward")]


def _frozen(program: Program, paths: Mapping[str, str]) -> list[ast.stmt]:
    """`self.conv1.requires_grad_(False)` for every layer whose weights the source does not train."""
    found: list[ast.stmt] = []
    for layer in program.layers:
        frozen = [key for key, weight in layer.weights.items() if metadata.role(weight.value) == "frozen"]
        path = paths[layer.attribute]
        trained = any(metadata.role(weight.value) == "parameter" for weight in layer.weights.values())
        wheres = [f"{path}.{key}" for key in frozen] if trained else [path] * bool(frozen)
        found += [ast.Expr(method(attribute_of(where), "requires_grad_", [False])) for where in wheres]
    return found


def _load(program: Program, structured: Modules | None) -> tuple[str, str]:
    """The body of `load`, and what it imports."""
    constants = [t for t in program.tensors if not t.trainable and not _is_kept(t)]
    if structured is None or not constants:
        return _LOAD.format(name=program.name), "load_model"
    lines = "\n".join(f'state["{other}"] = state["{first}"]' for other, first in structured.ties.items())
    return _LOAD_CONSTANTS.format(name=program.name, ties=lines), "load_file"


def _called(model: Item, call: Call, program: Program, structured: Modules | None) -> Item:
    """The model's class, with the source's arguments and results."""
    assert isinstance(model, Suite) and isinstance(model.body[-1], Suite)
    rows = () if structured is None else structured.rows
    body = [*model.body[:-1], as_called(model.body[-1], call, program, rows)]
    return dataclasses.replace(model, body=body)


def source(program: Program, request: WriteRequest, structured: Modules | None = None, call: Call | None = None) -> str:
    """The text of model.py."""
    classes = _flat(program) if structured is None else structured.items
    if call is not None:
        classes = [*classes[:-1], _called(classes[-1], call, program, structured)]
    body, loader = _load(program, structured)
    imports = {
        *program.imports,
        *(structured.imports if structured is not None else ()),
        "from pathlib import Path",
        "from torch import nn",
        f"from safetensors.torch import {loader}",
    }
    if program.tensors:
        imports.add("import torch")
    functions, needed = copied(DIALECT.helpers, program.helpers)
    items: list[Item] = [
        *code('WEIGHTS = Path(__file__).with_name("weights.safetensors")'),
        *(Line(function) for function in functions),
        *classes,
        Suite(
            function_header("load", "weights=WEIGHTS"),
            code(body),
            "The model with its weights, in inference mode; `.train()` goes on training it.",
        ),
    ]
    return render(f"Converted from {request.title}.", sorted_imports(imports | needed), items)


def _tell_seeds(model: ir.Model, notes: Notes) -> None:
    """Notes each seed that an operator states: PyTorch has one generator for all, which `torch.manual_seed` seeds."""
    for node in model.graph.all_nodes():
        seed = node.attributes.get("seed") if node.domain == "" else None
        if seed is not None:
            text = f"the seed {seed.value:g} of {node.op_type}; torch.manual_seed seeds all chance at once"
            notes.add(Dropped(metadata.place(node).layer or node.name or node.op_type, text))


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes model.py and weights.safetensors into the request's folder.

    Raises:
        UnsupportedModel: what PyTorch cannot say, all at once.
    """
    _tell_seeds(model, request.options.notes)
    model = stack_layers(model, fits)
    to_forms(model, lowers, ATTENTION)
    run(model, (JoinSlices, RemoveUnused), notes=request.options.notes)
    to_forms(model, lowers, OTHERS)
    if has_modules(model) or has_state(model):
        try:
            return _write_modules(model, request)
        except Unstructured as reason:
            request.options.notes.add(Approximated(request.title, f"written as one class: {reason}"))
    elif may_repeat(model):
        package = _write_repeats(model, request)
        if package is not None:
            return package
    program, mapped = lower(model, DIALECT, request.options.class_name or "Model")
    call = call_of(model, program)
    (request.folder / "model.py").write_text(source(program, request, None, call), encoding="utf-8")
    ties = program.ties()
    named = {layer.attribute: layer.source for layer in program.layers}
    return _package(request, program, mapped, program.weights(), ties, named, dict(program.names), call)


def _write_modules(model: ir.Model, request: WriteRequest) -> Package:
    """Writes a model whose source tells of its modules or of its state, as classes."""
    dialect = dataclasses.replace(STRUCTURED, keeps_state=has_state(model))
    program, mapped = lower(model, dialect, request.options.class_name or "Model")
    return _modules_package(model, request, program, mapped, None)


def _write_repeats(model: ir.Model, request: WriteRequest) -> Package | None:
    """Writes a model that tells nothing of modules with its repeated pieces as classes; None where it has none."""
    dialect = dataclasses.replace(STRUCTURED, keeps_state=False)
    program, mapped = lower(model, dialect, request.options.class_name or "Model")
    found = repeats(program)
    return _modules_package(model, request, program, mapped, found) if found.paths else None


def _modules_package(
    model: ir.Model,
    request: WriteRequest,
    program: Program,
    mapped: tuple[Mapped, ...],
    found: Repeats | None,
) -> Package:
    structured = modules_code(model, program, STRUCTURED, SPELLING, lambda paths: _frozen(program, paths), found)
    call = call_of(model, program)
    (request.folder / "model.py").write_text(source(program, request, structured, call), encoding="utf-8")
    paths = structured.paths
    named = {paths[layer.attribute]: layer.source for layer in program.layers}
    names = {paths[attribute]: name for attribute, name in program.names.items() if attribute in paths}
    return _package(request, program, mapped, structured.weights(program), structured.ties, named, names, call)


def _package(
    request: WriteRequest,
    program: Program,
    mapped: tuple[Mapped, ...],
    weights: Mapping[str, Weight],
    ties: Mapping[str, str],
    named: Mapping[str, str],
    names: dict[str, str],
    call: Call | None,
) -> Package:
    sources = {name: str(weight.origin) for name, weight in weights.items()}
    told = {NAMES: json.dumps(sources, sort_keys=True), LAYERS: json.dumps(named, sort_keys=True)}
    if call is not None:
        told[SIGNATURE] = call.text
    request.write_weights({name: weight for name, weight in weights.items() if name not in ties}, told)
    return Package(tuple(program.inputs), tuple(program.outputs), mapped, sources, layers=names)
