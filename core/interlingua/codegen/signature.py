"""Calls as the source's: arguments that are tuples, lists and dicts of tensors, and results nested like the source's.

A tree says how values nest: {"leaf": name}, {"tuple": [trees]}, {"list": [trees]}, {"dict": {key: tree}} or
{"none": true}.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.codegen.expressions import literal, method, parse
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


def variadic_of(model: ir.Model) -> str:
    """The argument of the source's call that takes all further tensors; empty where it has none."""
    return str(json.loads(model.metadata_props.get(SIGNATURE, "{}")).get("variadic", ""))


def lists_of(model: ir.Model, program: Program) -> dict[str, list[str]]:
    """The inputs of the model that the source's call takes as lists: what each is called, and what is in it."""
    said = json.loads(model.metadata_props.get(SIGNATURE, "null"))
    if not said:
        return {}
    known = {port.name for port in program.inputs}
    found = {
        name: list(leaves(tree))
        for name, tree in zip(said["names"], said["inputs"], strict=True)
        if "leaf" not in tree and _depth(tree) and known >= {*leaves(tree)}
    }
    variadic = variadic_of(model)
    numbered = re.compile(rf"{re.escape(variadic)}_\d+")
    rest = [name for name in said["names"] if numbered.fullmatch(name)] if variadic else []
    words = {port.identifier for port in program.inputs}
    if rest and {*rest} <= known and said["names"][-len(rest) :] == rest:
        found[variadic] = rest
    return {name: members for name, members in found.items() if name.isidentifier() and name not in words}


def _depth(tree: Tree) -> int:
    """How deep tensors nest in tuples or lists alike, one or two levels; 0 for any other tree."""
    parts = tree.get("tuple", tree.get("list", ()))
    if parts and all("leaf" in each for each in parts):
        return 1
    inner = {len(each.get("tuple", each.get("list", ()))) for each in parts}
    return 2 if len(inner) == 1 and all(_depth(each) == 1 for each in parts) else 0


def leaves(tree: Tree) -> Iterator[str]:
    """The names of a tree's tensors, in order."""
    if "leaf" in tree:
        yield str(tree["leaf"])
    below: Sequence[Tree] = [*tree.get("dict", {}).values(), *tree.get("tuple", ()), *tree.get("list", ())]
    for each in below:
        yield from leaves(each)


def as_called(forward: Suite, call: Call, program: Program, rows: Sequence[Sequence[str]] = ()) -> Suite:
    """The forward method with the arguments and results of the call.

    It may take lists of tensors already, and return some: `rows` are the outputs in each of them.
    """
    words = {port.name: port.identifier for port in program.inputs}
    assert isinstance(forward.header, ast.FunctionDef)
    taken = {each.arg for each in forward.header.args.args}
    rest = forward.header.args.vararg
    arguments = ["self"]
    opening: list[Item] = []
    optional = [index for index, tree in enumerate(call.inputs) if "none" in tree]
    for index, (name, tree) in enumerate(zip(call.names, call.inputs, strict=True)):
        if "leaf" in tree:
            arguments += [words[tree["leaf"]]] if rest is None or words[tree["leaf"]] in taken else []
            continue
        left = range(index, len(call.inputs))
        arguments.append(f"{name}=None" if all(each in optional for each in left) else name)
        if name not in taken:
            opening += _apart(ast.Name(name, ast.Load()), tree, words)
        elif _depth(tree) > 1:
            opening += code(f"{name} = [tensor for part in {name} for tensor in part]")
    arguments += [f"*{rest.arg}"] if rest is not None else []
    *body, last = forward.body
    assert isinstance(last, Line) and isinstance(last.statement, ast.Return) and last.statement.value is not None
    value = last.statement.value
    found = value.elts if isinstance(value, ast.Tuple) and len(program.outputs) > 1 else [value]
    final = Line(ast.Return(_together(call.outputs, _Results(found, program, rows))), last.comment)
    return Suite(function_header("forward", ", ".join(arguments)), [*opening, *body, final], forward.docstring)


class _Results:
    """What a model returns, by the names of its outputs; lists by the names of all that is in them."""

    def __init__(self, found: Sequence[ast.expr], program: Program, rows: Sequence[Sequence[str]]) -> None:
        self.single: dict[str, ast.expr] = {}
        self.lists: dict[tuple[str, ...], ast.expr] = {}
        names = iter([port.name for port in program.outputs])
        left = iter(rows)
        for value in found:
            if not isinstance(value, ast.Starred):
                self.single[next(names)] = value
                continue
            row = next(left)
            self.lists[tuple(row)] = value.value
            for index in range(len(row)):
                self.single[next(names)] = ast.Subscript(value.value, ast.Constant(index), ast.Load())


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


def _together(tree: Tree, results: _Results) -> ast.expr:
    """The expression that nests the results."""
    if "leaf" in tree:
        return results.single[tree["leaf"]]
    whole = results.lists.get(tuple(leaves(tree)))
    if whole is not None and "dict" not in tree and _depth(tree):
        return _nested(tree, whole)
    if "dict" in tree:
        values = [_together(each, results) for each in tree["dict"].values()]
        return ast.Dict([literal(key) for key in tree["dict"]], values)
    if "tuple" in tree:
        return ast.Tuple([_together(each, results) for each in tree["tuple"]], ast.Load())
    if "list" in tree:
        return ast.List([_together(each, results) for each in tree["list"]], ast.Load())
    return ast.Constant(None)


def _nested(tree: Tree, whole: ast.expr) -> ast.expr:
    """A list as the tree nests it: `tuple(values)`, `tuple(zip(values[::2], values[1::2]))`."""
    said = ast.unparse(whole)
    if _depth(tree) > 1:
        width = len([*leaves(tree)]) // len(tree.get("tuple", tree.get("list", ())))
        parts = (f"{said}[{start or ''}::{width}]" for start in range(width))
        inner = tree.get("tuple", tree.get("list", ()))[0]
        text = f"zip({', '.join(parts)}, strict=True)"
        text = text if "tuple" in inner else f"map(list, {text})"
        return parse(f"{'tuple' if 'tuple' in tree else 'list'}({text})")
    return parse(f"tuple({said})") if "tuple" in tree else whole
