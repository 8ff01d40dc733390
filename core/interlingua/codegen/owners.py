"""Where each layer and tensor of a program stands in the tree of modules: its dotted path."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from interlingua.codegen.program import Layer, Program, Tensor
from interlingua.codegen.steps import Step
from interlingua.codegen.ties import Ties
from interlingua.ir.origin import Constant, Parameter

_PART = re.compile(r"[A-Za-z_0-9][\w-]*")
_MAIN = "weight"
"""Folding a normalization into a layer, PyTorch's exporter calls the bias it makes `weight_bias`."""

_NUMBER = re.compile(r"(_\d+)+$")

Scopes = tuple[str, ...]


def owned(tree: ast.AST) -> Iterator[str]:
    """The attributes of `self` that an expression reads: layers and tensors of the model."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node.attr


def owners(
    program: Program,
    steps: Sequence[Step],
    buffers: frozenset[str] = frozenset(),
    ties: Ties | None = None,
    *,
    told: bool = True,
) -> dict[str, str]:
    """The path of each layer and tensor, by its attribute in the flat program.

    A layer whose weights are a module's (`layer1.0.conv1.weight`) has the module's path; another the path of the module
    that calls nothing but it, else a name of its own there. Paths are all different, and none is inside a layer.
    `buffers` are the constants that the source's state holds, `ties` its tied parameters: a layer under several names
    has the one that its calls tell. A tensor that is a layer's weight is that layer's. Where nobody `told` of modules,
    what stands in one is called by its kind: names that differ would keep modules from being of one class.
    """
    used: dict[str, list[Scopes]] = {}
    for step in steps:
        for attribute in dict.fromkeys(name for tree in step.tree for name in owned(tree)):
            if step.scopes is not None:
                used.setdefault(attribute, []).append(step.scopes)
    calls = _calls(steps)
    taken: dict[str, str] = {}
    found: dict[str, str] = {}

    def room(scope: str) -> str:
        """The innermost module around the scope that is no layer and no list of numbered ones."""

        def unfit(path: str) -> bool:
            inside = (each[len(path) + 1 :] for each in taken if each.startswith(f"{path}."))
            layer = any(path == each or path.startswith(f"{each}.") for each in taken)
            return layer or any(each.partition(".")[0].isdigit() for each in inside)

        while scope and unfit(scope):
            scope = scope.rpartition(".")[0]
        return scope

    def take(attribute: str, path: str) -> bool:
        if not path or path in taken or any(each.startswith(f"{path}.") for each in taken):
            return False
        if any(path.startswith(f"{each}.") for each in taken):
            return False
        taken[path] = attribute
        found[attribute] = path
        return True

    layers = sorted(program.layers, key=lambda layer: not layer.weights)
    for fits in (_is_called, _is_inside):
        for layer in layers:
            path = path_of_weights(layer)
            for each in (path, *(ties.modules(path, layer.weights) if ties and path else ())):
                if each and layer.attribute not in found and fits(each, used.get(layer.attribute, ())):
                    take(layer.attribute, each)
    for tensor in program.tensors:
        holder = _holder(tensor, program)
        if holder is not None and holder[0].attribute in found:
            found[tensor.attribute] = f"{found[holder[0].attribute]}.{holder[1]}"
            continue
        path = _of_tensor(tensor, {*buffers, *(f"{scope}." for scope in calls)})
        take(tensor.attribute, path)
    for layer in layers:
        if layer.attribute in found or take(layer.attribute, path_of_weights(layer)):
            continue
        scope = _shared(used.get(layer.attribute, ()))
        if not (calls.get(scope) == {layer.attribute} and take(layer.attribute, scope)):
            _name(layer.attribute, room(scope), take, "" if told or not scope else _kind(layer))
    for tensor in program.tensors:
        if tensor.attribute not in found:
            scope = room(_shared(used.get(tensor.attribute, ())))
            hint = _NUMBER.sub("", tensor.attribute) if isinstance(tensor.weight.origin, Constant) else ""
            if scope and not told:
                hint = _MAIN if tensor.trainable else "constant"
            _name(tensor.attribute, scope, take, hint)
    return found


def _kind(layer: Layer) -> str:
    """What a layer is called after its API: `conv` for `nn.Conv2d`, `norm` for `nn.LayerNorm`."""
    function = layer.call.func if isinstance(layer.call, ast.Call) else layer.call
    name = re.sub(r"\d+d$", "", ast.unparse(function).rpartition(".")[2])
    return "norm" if name.endswith("Norm") else name.lower()


def _holder(tensor: Tensor, program: Program) -> tuple[Layer, str] | None:
    """The layer that has the tensor for a weight, and the weight's name there."""
    pairs = (
        (layer, key) for layer in program.layers for key, weight in layer.weights.items() if weight == tensor.weight
    )
    return next(pairs, None)


def _name(attribute: str, scope: str, take: Callable[[str, str], bool], hint: str = "") -> None:
    """A name of its own inside a module, short where the flat name repeats the end of the module's path."""
    parts = scope.split(".")
    tails = ("_".join(parts[first:]) for first in range(len(parts)))
    tail = next((each for each in tails if each and f"{attribute}_".startswith(f"{each}_")), "")
    left = attribute[len(tail) + 1 :] if tail else attribute
    left = attribute if left[:1].isdigit() and not left.isdigit() else left
    short = "constant" if hint == "val" else hint or left
    if not short or short.isdigit() or f"_{'_'.join(parts)}".endswith(f"_{short}"):
        short = "layer"  # one of several with no name but the module's
    stem = f"{scope}.{short}" if scope else short
    number = 1
    while not take(attribute, stem if number == 1 else f"{stem}_{number}"):
        number += 1


def _calls(steps: Sequence[Step]) -> Mapping[str, set[str]]:
    """By path of a module: what its own steps use of the model; "" among them for a step that uses nothing."""
    found: dict[str, set[str]] = {}
    for step in steps:
        for scope in step.scopes or ():
            found.setdefault(scope, set()).update({name for tree in step.tree for name in owned(tree)})
    return found


def path_of_weights(layer: Layer) -> str:
    """The path that all the layer's weights share in the source's names; "" where they do not."""
    paths = set()
    for key, weight in layer.weights.items():
        origin = weight.origin
        while not isinstance(origin, Parameter | Constant):
            if len(origin.operands) != 1:
                return ""
            (origin,) = origin.operands
        path, dot, last = origin.name.rpartition(".")
        if not dot and key != _MAIN:
            continue  # a number of the exporter's, such as a bias of zeros
        named = last == key or (key != _MAIN and last == f"{_MAIN}_{key}")
        paths.add(path if dot and named and _legal(path) else "")
    return paths.pop() if len(paths) == 1 else ""


def places(program: Program) -> dict[str, Scopes]:
    """The modules around each layer and tensor that the names of weights tell, by its attribute."""
    found: dict[str, Scopes] = {}
    paths = [(layer.attribute, path_of_weights(layer)) for layer in program.layers]
    paths += [(tensor.attribute, _of_tensor(tensor, set())) for tensor in program.tensors]
    for attribute, path in paths:
        parts = path.split(".")[:-1]
        if path:
            found[attribute] = tuple(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


def _of_tensor(tensor: Tensor, places: set[str]) -> str:
    """A parameter's own name; a constant's where it is among `places`, or its module is."""
    origin = tensor.weight.origin
    if isinstance(origin, Constant) and not ({origin.name, f"{origin.name.rpartition('.')[0]}."} & places):
        return ""
    return origin.name if isinstance(origin, Parameter | Constant) and _legal(origin.name) else ""


def _legal(path: str) -> bool:
    return all(_PART.fullmatch(part) for part in path.split("."))


def _is_called(path: str, scopes: Sequence[Scopes]) -> bool:
    """Whether it is the path of a module that stands around the layer's calls."""
    return bool(scopes) and all(path in each for each in scopes)


def _is_inside(path: str, scopes: Sequence[Scopes]) -> bool:
    """Whether the path is inside the module that calls the layer, as far as that is known."""
    return all(not each or path.startswith(f"{each[-1]}.") for each in scopes)


def _shared(scopes: Sequence[Scopes]) -> str:
    """The innermost module that is around all uses."""
    shared = ""
    for group in zip(*scopes, strict=False):
        if len(set(group)) > 1:
            break
        shared = group[0]
    return shared
