"""Decisions that no input makes."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from interlingua import passes
from interlingua.notes import Notes

HEAD = '<ir_version: 10, opset_import: ["": 20]> g'
SIZE = """
  two = Constant <value_int: int = 1> ()
  sizes = Shape (x)
  size = Gather (sizes, two)
  is_one = Equal (size, two)
"""


def canonical(text: str) -> ir.Model:
    return passes.run(ir.from_proto(onnx.parser.parse_model(text)), notes=Notes(), debug=True)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def squeezed(size: str) -> str:
    """A squeeze as the older exporter of PyTorch writes it, and a decision inside a decision; names stand twice."""
    return f"""{HEAD} (float[N, {size}, 4] x) => (y, z) {{ {SIZE}
      axis = Constant <value_ints: ints = [1]> ()
      y = If (is_one) <
        then_branch = a () => (r) {{ r = Squeeze (x, axis) }},
        else_branch = b () => (r) {{ s = Neg (x)
          r = Sqrt (s) }}
      >
      inner = If (is_one) <
        then_branch = c () => (q) {{ not_one = Not (is_one)
          q = If (not_one) < then_branch = d () => (r) {{ r = Abs (x) }}, else_branch = e () => (r) {{ r = Exp (x) }} >
        }},
        else_branch = f () => (r) {{ s = Neg (x)
          r = Tan (s) }}
      >
      z = Sin (inner)
    }}"""


def test_the_branch_that_a_known_size_takes_stands_alone() -> None:
    assert operators(canonical(squeezed("1"))) == ["Squeeze", "Exp", "Sin"]


def test_the_other_branches_are_taken_too_and_names_stay_apart() -> None:
    model = canonical(squeezed("3"))
    assert sorted(operators(model)) == ["Neg", "Neg", "Sin", "Sqrt", "Tan"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_a_branch_may_give_what_stands_outside_it() -> None:
    text = f"""{HEAD} (float[N, 1, 4] x) => (y, z) {{ {SIZE}
      y = If (is_one) < then_branch = a () => (x) {{ }}, else_branch = b () => (r) {{ r = Neg (x) }} >
      z = Neg (y)
    }}"""
    model = canonical(text)
    assert sorted(operators(model)) == ["Identity", "Neg"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_a_decision_that_an_input_makes_stays() -> None:
    for condition in ("(float[N, 2, 4] x, bool[1] is_one)", "(float[N, M, 4] x)"):
        arithmetic = "" if "is_one" in condition else SIZE
        text = f"""{HEAD} {condition} => (y) {{ {arithmetic}
          y = If (is_one) <
            then_branch = a () => (r) {{ r = Abs (x) }}, else_branch = b () => (r) {{ r = Neg (x) }}
          >
        }}"""
        assert "If" in operators(canonical(text))
