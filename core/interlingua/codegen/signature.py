"""Calls as the source's: arguments that are tuples, lists and dicts of tensors, and results nested like the source's.

A tree says how values nest: {"leaf": name}, {"tuple": [trees]}, {"list": [trees]}, {"dict": {key: tree}} or
{"none": true}.
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.codegen.expressions import literal, method
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Line, Suite, code, function_header

SIGNATURE = "interlingua.signature"
"""Key of the model's metadata, and of its file of weights: JSON of the trees of inputs and outputs, and the arguments'
names."""

Tree = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """How the model is called: names and trees of its arguments, the tree of its results."""

    names: tuple[str, ...]
    inputs: tuple[Tree, ...]
    outputs: Tree

    @property
    def text(self) -> str:
        """The call as JSON."""
        return json.dumps({"inputs": self.inputs, "outputs": self.outputs, "names": self.names})


def call_of(model: ir.Model, program: Program) -> Call | None:
    """The source's call where it nests or leaves out arguments; None where tensors come and go in the model's order."""
    said = json.loads(model.metadata_props.get(SIGNATURE, "null"))
    if not said:
        return None
    call = Call(tuple(said["names"]), tuple(said["inputs"]), said["outputs"])
    taken = [name for tree in call.inputs for name in leaves(tree)]
    given = list(leaves(call.outputs))
    known = [port.name for port in program.inputs], [port.name for port in program.outputs]
    if (taken, given) != known or len(set(given)) != len(given):
        return None
    plain = all("leaf" in tree for tree in call.inputs)
    single = "leaf" in call.outputs
    flat = "tuple" in call.outputs and len(given) > 1 and all("leaf" in each for each in call.outputs["tuple"])
    words = {port.identifier for port in program.inputs}
    nested = [name for name, tree in zip(call.names, call.inputs, strict=True) if "leaf" not in tree]
    usable = all(name.isidentifier() and name not in words for name in nested) and len({*nested}) == len(nested)
    return call if usable and not (plain and (single or flat)) else None


def leaves(tree: Tree) -> Iterator[str]:
    """The names of a tree's tensors, in order."""
    if "leaf" in tree:
        yield str(tree["leaf"])
    below: Sequence[Tree] = [*tree.get("dict", {}).values(), *tree.get("tuple", ()), *tree.get("list", ())]
    for each in below:
        yield from leaves(each)


def as_called(forward: Suite, call: Call, program: Program) -> Suite:
    """The forward method with the arguments and results of the call."""
    words = {port.name: port.identifier for port in program.inputs}
    arguments = ["self"]
    opening: list[Item] = []
    optional = [index for index, tree in enumerate(call.inputs) if "none" in tree]
    for index, (name, tree) in enumerate(zip(call.names, call.inputs, strict=True)):
        if "leaf" in tree:
            arguments.append(words[tree["leaf"]])
            continue
        rest = range(index, len(call.inputs))
        arguments.append(f"{name}=None" if all(each in optional for each in rest) else name)
        opening += _apart(ast.Name(name, ast.Load()), tree, words)
    *body, last = forward.body
    assert isinstance(last, Line) and isinstance(last.statement, ast.Return) and last.statement.value is not None
    value = last.statement.value
    found = value.elts if isinstance(value, ast.Tuple) and len(program.outputs) > 1 else [value]
    results = dict(zip((port.name for port in program.outputs), found, strict=True))
    final = Line(ast.Return(_together(call.outputs, results)), last.comment)
    return Suite(function_header("forward", ", ".join(arguments)), [*opening, *body, final], forward.docstring)


def _absent(value: ast.expr, said: str) -> list[Item]:
    """A check that nothing is given for what the source was converted without, said so."""
    message = f"the model was converted without {said}"
    return [*code(f"if {ast.unparse(value)} is not None:\n    raise ValueError({message!r})")]


def _apart(value: ast.expr, tree: Tree, words: Mapping[str, str]) -> list[Item]:
    """`a, b = pair`; `a = batch["a"]`."""
    if "none" in tree:
        return _absent(value, ast.unparse(value))
    if "dict" in tree:
        found: list[Item] = []
        for key, below in tree["dict"].items():
            entry = ast.Subscript(value, literal(key), ast.Load())
            if "none" in below:  # callers leave the key out
                found += _absent(method(value, "get", [literal(key)]), ast.unparse(entry))
            else:
                found += _apart(entry, below, words)
        return found
    target = _target(tree, words)
    if target is not None:
        return [Line(ast.Assign([target], value, lineno=0))]
    found = []
    for index, below in enumerate(tree.get("tuple", tree.get("list", ()))):
        found += _apart(ast.Subscript(value, literal(index), ast.Load()), below, words)
    return found


def _target(tree: Tree, words: Mapping[str, str]) -> ast.expr | None:
    """What is assigned to at once; None where a part is a dict or nothing."""
    if "leaf" in tree:
        return ast.Name(words[tree["leaf"]], ast.Store())
    parts = [_target(each, words) for each in tree.get("tuple", tree.get("list", ()))]
    whole = [each for each in parts if each is not None]
    return ast.Tuple(whole, ast.Store()) if whole and len(whole) == len(parts) else None


def _together(tree: Tree, results: Mapping[str, ast.expr]) -> ast.expr:
    """The expression that nests the results."""
    if "leaf" in tree:
        return results[tree["leaf"]]
    if "dict" in tree:
        values = [_together(each, results) for each in tree["dict"].values()]
        return ast.Dict([literal(key) for key in tree["dict"]], values)
    if "tuple" in tree:
        return ast.Tuple([_together(each, results) for each in tree["tuple"]], ast.Load())
    if "list" in tree:
        return ast.List([_together(each, results) for each in tree["list"]], ast.Load())
    return ast.Constant(None)
