"""Frees a batch of 1 that an exporter wrote into a graph, where every operator is shown to work sample by sample."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import known, shape_of
from interlingua.ir.shapes import dimension, to_shape
from interlingua.notes import Changed, Skipped
from interlingua.passes.base import Pass
from interlingua.passes.batch_rules import RULES
from interlingua.passes.batch_stacks import Edit, Induction, NotFree, Stack
from interlingua.passes.duplicates import MergeInitializers
from interlingua.passes.infer import InferShapes
from interlingua.passes.names import NameNodes
from interlingua.passes.unused import RemoveUnused

NAME = "N"
FREED = "interlingua.freed"
"""Key of `model.meta` for a model whose source only runs with the batch of 1 that it was written for: for each output
the axis along which samples are stacked, None where it does not depend on the batch."""


class FreeBatch(Pass):
    """Replaces a batch of 1 by a named one, and the sizes in Reshape constants that multiply with it by 0 or −1.

    The proof is by induction over the nodes: each value is known to be the stack of the values of single samples. One
    operator that is not known to work sample by sample, and everything stays as it is, with a note that says which.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        entries = [value for value in model.graph.inputs if _fixed(value)]
        if not entries:
            return False
        for value in model.graph.inputs:
            if shape_of(value) and value not in entries:
                self.notes.add(Skipped("batch", f"stays 1: the input {value.name!r} has no batch of 1"))
                return False
        try:
            stacks, edits = _proved(model, entries)
        except NotFree as reason:
            try:
                stacks, edits = _proved(model, entries, moving=True)
            except NotFree:
                self.notes.add(Skipped("batch", f"stays 1: {reason}"))
                return False
        name = _name(model)
        model.meta[FREED] = [stacks[value].axis if value in stacks else None for value in model.graph.outputs]
        for value, stack in stacks.items():
            sizes = list(value.shape or ())
            size = sizes[stack.axis]
            assert isinstance(size, int)
            sizes[stack.axis] = to_shape(dimension(size) * dimension(name))
            value.shape = ir.Shape(sizes)
        for edit in edits:
            edit()
        self.notes.add(Changed("batch", f"1 became {name}: every operator works sample by sample"))
        return True


def _fixed(value: ir.Value) -> bool:
    shape = known(shape_of(value))
    return shape is not None and len(shape) > 1 and shape[0] == 1


def _name(model: ir.Model) -> str:
    taken = {str(size) for value in model.graph.inputs for size in value.shape or () if not isinstance(size, int)}
    name, count = NAME, 0
    while name in taken:
        count += 1
        name = f"{NAME}{count}"
    return name


def _proved(
    model: ir.Model, entries: list[ir.Value], *, moving: bool = False
) -> tuple[dict[ir.Value, Stack], list[Edit]]:
    """Where each value is stacked, and the edits that make it so.

    Raises:
        NotFree: a node mixes samples, or may.
    """
    proof = Induction(model, dict.fromkeys(entries, Stack(0)), [], moving)
    for node in model.graph:
        if any(
            attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
            for attribute in node.attributes.values()
        ):
            raise NotFree(f"{node.op_type} {node.name!r} has a graph of its own")
        if not any(proof.of(value) for value in node.inputs):
            continue
        rule = RULES.get(node.op_type) if node.domain == "" else None
        if rule is None:
            raise NotFree(f"{node.op_type} {node.name!r} is not known to work sample by sample")
        found = rule(proof, node)
        if found is None:
            raise NotFree(f"{node.op_type} {node.name!r} mixes samples, or may")
        each = found if isinstance(found, tuple) else [found] * len(node.outputs)
        for output, stack in zip(node.outputs, each, strict=True):
            if stack is not None and (output.uses() or output.is_graph_output()):
                shape = proof.shape(output)
                if stack.axis >= len(shape) or shape[stack.axis] % stack.outer:
                    raise NotFree(f"{node.op_type} {node.name!r} loses the batch")
                proof.stacks[output] = stack
    for value in model.graph.outputs:
        stack = proof.of(value)
        if stack is not None and stack.outer != 1:
            raise NotFree(f"the output {value.name!r} does not have the batch outermost on an axis")
    return proof.stacks, proof.edits


CLEANING: tuple[type[Pass], ...] = (MergeInitializers, RemoveUnused, InferShapes, NameNodes)
"""The passes that make a freed model canonical again."""

FREEING: tuple[type[Pass], ...] = (FreeBatch, *CLEANING)
"""The passes that free the batch of a canonical model, which is canonical afterwards."""
