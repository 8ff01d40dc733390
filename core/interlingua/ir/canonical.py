"""The canonical form: what every backend may rely on, and its checker."""

from __future__ import annotations

import logging
from collections import Counter

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua import extensions
from interlingua.ir import metadata
from interlingua.ir.facts import CHANNELS_LAST, shape_of
from interlingua.ir.opset import OPSET
from interlingua.passes.duplicates import duplicates
from interlingua.passes.pads import PADDED


class NotCanonical(AssertionError):
    """A model that was to be canonical is not; says in what."""


def check(model: ir.Model) -> list[str]:
    """Every way in which the model is not in canonical form, one sentence each; empty when it is.

    Channels-last dialect ops and their functions, which the layout pass makes, are part of the form.
    """
    return [
        *_opsets(model),
        *_nodes(model),
        *_names(model),
        *_values(model),
        *_initializers(model),
        *_checked(model),
    ]


def assert_canonical(model: ir.Model) -> None:
    """Checks the form.

    Raises:
        NotCanonical: the model is not canonical; all violations are named.
    """
    violations = check(model)
    if violations:
        raise NotCanonical("The model is not canonical:\n  " + "\n  ".join(violations))


def _opsets(model: ir.Model) -> list[str]:
    found = []
    if model.opset_imports.get("") != OPSET or "ai.onnx" in model.opset_imports:
        found.append(f"the opset is {model.opset_imports.get('')}, not {OPSET}")
    own = {(function.domain, function.name) for function in extensions.functions()}
    found.extend(
        f"the function {key} is left" for key in model.functions if key[0] != CHANNELS_LAST and key[:2] not in own
    )
    return found


def _nodes(model: ir.Model) -> list[str]:
    found = []
    for node in model.graph.all_nodes():
        if node.domain not in ("", CHANNELS_LAST):
            continue
        if node.op_type == "Constant" and "sparse_value" not in node.attributes:
            found.append(f"the constant {node.name!r} is no initializer")
        if node.op_type in PADDED and "auto_pad" in node.attributes and _spatial_known(node):
            found.append(f"{node.op_type} {node.name!r} pads by itself")
        if node.op_type == "Identity" and not _between_edges(node):
            found.append(f"the identity {node.name!r} does nothing")
        if node.version is not None and node.version != OPSET:
            found.append(f"{node.op_type} {node.name!r} is of opset {node.version}")
        found.extend(
            f"{node.op_type} {node.name!r}: {wrong}" for wrong in metadata.malformed(dict(node.metadata_props))
        )
    return found


def _spatial_known(node: ir.Node) -> bool:
    shape = shape_of(node.inputs[0])
    return shape is not None and all(isinstance(size, int) for size in shape[2:])


def _between_edges(node: ir.Node) -> bool:
    source = node.inputs[0]
    if not node.outputs[0].is_graph_output() or source is None:
        return False
    return source.producer() is None or source.is_graph_output() or source.graph is not node.graph


def _names(model: ir.Model) -> list[str]:
    nodes = Counter(node.name for node in model.graph.all_nodes())
    found = [f"{count} nodes are named {name!r}" for name, count in nodes.items() if count > 1 and name]
    if any(not name for name in nodes):
        found.append("a node has no name")
    values = [output for node in model.graph.all_nodes() for output in node.outputs]
    counted = Counter(
        value.name for value in (*model.graph.inputs, *model.graph.initializers.values(), *values) if value.name
    )
    found.extend(f"{count} values are named {name!r}" for name, count in counted.items() if count > 1)
    if any(value.name is None for value in values):
        found.append("a value has no name")
    return found


def _values(model: ir.Model) -> list[str]:
    found = []
    for node in model.graph.all_nodes():
        standard = node.domain == "" and onnx.defs.has(node.op_type)
        for value in node.outputs:
            if standard and value.name and value.type is None:
                found.append(f"the type of {value.name!r} is unknown")
    for value in (*model.graph.inputs, *model.graph.outputs):
        found.extend(f"{value.name!r}: {wrong}" for wrong in metadata.malformed(dict(value.metadata_props)))
    found.extend(f"the input {value.name!r} has no shape" for value in model.graph.inputs if value.shape is None)
    return found


def _initializers(model: ir.Model) -> list[str]:
    found = [f"{first.name!r} and {other.name!r} are the same" for first, other in duplicates(model.graph)]
    for value in model.graph.initializers.values():
        if value.is_graph_input():
            found.append(f"the initializer {value.name!r} is an input too")
        if metadata.ORIGIN not in value.metadata_props:
            found.append(f"the initializer {value.name!r} has no origin")
        found.extend(f"{value.name!r}: {wrong}" for wrong in metadata.malformed(dict(value.metadata_props)))
        if not value.uses() and not value.is_graph_output():
            found.append(f"the initializer {value.name!r} is not used")
    for graph in model.graphs():
        if graph is not model.graph and graph.initializers:
            found.append(f"the subgraph {graph.name!r} has initializers of its own")
    return found


def _checked(model: ir.Model) -> list[str]:
    logger = logging.getLogger("onnx_ir.passes.common.onnx_checker")
    level, logger.level = logger.level, logging.CRITICAL
    try:
        common.CheckerPass(full_check=False)(model)
    except Exception as error:  # the checker raises C++ errors of several kinds
        return [f"onnx.checker says: {' '.join(str(error).split())[:300]}"]
    finally:
        logger.level = level
    return []
