"""Expressions that are a parameter of the source, and those that only look like one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from interlingua.ir import metadata, parameters
from interlingua.ir.origin import parse


def graph() -> ir.Graph:
    held = []
    for name, shape in (("w", (6, 2)), ("v", (6, 2)), ("b", (6,))):
        tensor = ir.tensor(np.zeros(shape, np.float32), name=name)
        value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        held.append(metadata.set_role(metadata.set_origin(value, name), "frozen"))
    made = ir.Graph([], [], nodes=[], initializers=held)
    parameters.remember(made)
    return made


@pytest.mark.parametrize(
    ("text", "shape", "name"),
    [
        ("take(reshape(concat(slice(w, 0, 2, 4), slice(w, 0, 0, 2), slice(w, 0, 4, 6), 0), 3, 2, 2), 0, 1, 0, 2)",
         (3, 2, 2), None),
        ("reshape(take(reshape(concat(slice(w, 0, 2, 4), slice(w, 0, 0, 2), slice(w, 0, 4, 6), 0), 3, 2, 2), 0, 1, 0, "
         "2), 6, 2)", (6, 2), "w"),
        ("slice(concat(w, v, 0), 0, 6, 12)", (6, 2), "v"),
        ("slice(concat(w, v, 0), 0, 5, 11)", (6, 2), None),
        ("slice(w, 0, 0, 3)", (3, 2), None),
        ("concat(slice(w, 0, 2, 4), slice(w, 0, 0, 2), slice(w, 0, 4, 6), 0)", (6, 2), None),
        ("slice(concat(b, constant(zeros), 0), 0, 0, 6)", (6,), None),
        ("multiply(b, 2.0)", (6,), None),
        ("transpose(transpose(w, 1, 0), 1, 0)", (6, 2), "w"),
        ("unknown", (6, 2), None),
    ],
)  # fmt: skip
def test_what_is_a_parameter(text: str, shape: tuple[int, ...], name: str | None) -> None:
    assert parameters.same_as(parse(text), shape, graph()) == name


def test_shapes_and_roles_are_remembered_by_copies() -> None:
    copied = ir.Model(graph(), ir_version=10).clone().graph
    held = parameters.remembered(copied)["w"]
    assert (held.shape, held.role) == ((6, 2), "frozen")
