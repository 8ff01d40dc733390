"""Brings a TensorFlow graph to ONNX: prune, fold, take the weights out, inline functions, tf2onnx, check.

Runs in the worker, under TensorFlow 2 also for graphs of TensorFlow 1. The weights never pass through tf2onnx,
which copies a graph dozens of times: it sees placeholders, and the parent puts the weights back as external data.
"""

import gc
import logging
import os

import onnx
import tensorflow as tf
import tf2onnx
from google.protobuf.message import DecodeError
from runtime_fold import DROPOUT, Flags, fold_branches, fold_dropout
from runtime_freeze import Weights, restored_names, stub_constants, stub_variables
from runtime_graph import (
    PLACEHOLDERS,
    Refusal,
    dtype_of,
    find_inputs,
    find_outputs,
    make_placeholder,
    named,
    prune,
    shape_of,
    split,
)
from runtime_inline import assemble, inlined
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tf2onnx.tf_loader import tf_optimize

OPSET = 18
CLEANING = (
    "fold_constants",
    "loop_optimizer",
    "merge_duplication",
    "q_dq_optimizer",
    "remove_identity",
    "einsum_optimizer",
)
"""Of tf2onnx's optimizers those that only clean up: moving transposes is the layout pass's work, which keeps names."""


class Asked:
    """What is exported: the graph, the chosen names, the tensors they stand for, where the weights are."""

    def __init__(self, graph, prefix, signature, initializer=None):
        self.graph, self.prefix, self.signature, self.initializer = graph, prefix, signature, initializer


def _parse(message, path, what):
    try:
        with open(path, "rb") as file:
            message.ParseFromString(file.read())
    except (OSError, DecodeError) as error:
        raise Refusal(
            "InvalidSource", "Expected %s. Received %r, which does not parse: %s" % (what, path, error)
        ) from None
    return message


def _load(files, format, signature):
    if format == "tensorflow-checkpoint":
        meta = _parse(meta_graph_pb2.MetaGraphDef(), files["graph"], "a TensorFlow graph with its savers (.meta)")
        return Asked(meta.graph_def, files["prefix"], None)
    if format == "tensorflow-frozen":
        return Asked(_parse(graph_pb2.GraphDef(), files["graph"], "a TensorFlow graph (.pb)"), None, None)
    model = _parse(saved_model_pb2.SavedModel(), files["graph"], "a SavedModel")
    metas = [meta for meta in model.meta_graphs if "serve" in meta.meta_info_def.tags] or list(model.meta_graphs)
    if not metas:
        raise Refusal("InvalidSource", "Expected a SavedModel with a graph. Received one without.")
    meta = metas[0]
    keys = [key for key in meta.signature_def if not key.startswith("__") and meta.signature_def[key].outputs]
    chosen = signature or next(
        (key for key in ("serving_default", "serve", "predict") if key in keys), keys[0] if len(keys) == 1 else ""
    )
    if signature and signature not in keys:
        raise Refusal(
            "UsageError",
            "Expected a signature of the SavedModel (%s). Received %r." % (", ".join(sorted(keys)), signature),
        )
    if not chosen and keys:
        raise Refusal("UsageError", "Expected one signature. Received %d: %s." % (len(keys), ", ".join(sorted(keys))))
    folder = os.path.join(os.path.dirname(files["graph"]), "variables", "variables")
    prefix = folder if os.path.exists(folder + ".index") else None
    return Asked(meta.graph_def, prefix, meta.signature_def[chosen] if chosen else None)


def _signed(entries, names):
    """(name the user knows, tensor) of a signature's side, in the order of `names`, or all, sorted by name."""
    by_tensor = {entry.name: key for key, entry in entries.items()}
    if not names:
        return [(key, entries[key].name) for key in sorted(entries)]
    return [
        (name, entries[name].name if name in entries else name) if name not in by_tensor else (by_tensor[name], name)
        for name in names
    ]


def _chosen(asked, nodes, inputs, outputs):
    """The (shown name, node name, tensor) of every output, and of the inputs as far as they are said."""
    signed_in = asked.signature.inputs if asked.signature else {}
    signed_out = asked.signature.outputs if asked.signature else {}
    told = outputs or signed_out
    results = _signed(signed_out, outputs) if told else [(name, name) for name in find_outputs(nodes)]
    taken = _signed(signed_in, inputs) if (inputs or (signed_in and not outputs)) else []
    for _, tensor in results:
        named(nodes, tensor, "an output")
    for _, tensor in taken:
        named(nodes, tensor, "an input")
    return [(_plain(shown), tensor) for shown, tensor in taken], [(_plain(shown), tensor) for shown, tensor in results]


def _plain(name):
    """A tensor's name without the `:0` of a first output."""
    return name[:-2] if name.endswith(":0") else name


def _placeholders(nodes, taken, known, shapes):
    """Makes a placeholder of each input, with the shape the user said or the graph knows."""
    result = []
    for shown, tensor in taken:
        name, port = split(tensor)
        node = nodes[name]
        there = known.get(name, shape_of(node))
        said = next((shapes[key] for key in (shown, name, tensor) if key in shapes), None)
        if said is None and len(taken) == 1:
            said = shapes.get("")
        shape = there if said is None else _fitting(shown, said, there)
        if node.op in PLACEHOLDERS and port == 0:
            make_placeholder(node, dtype_of(node), shape)
        else:
            _cut(node, port, shape)
        result.append((shown, name))
    return result


def _fitting(name, said, known):
    """The shape a user said, an unknown size filled in from the graph.

    Raises:
        Refusal: the graph knows it otherwise.
    """
    if known is None:
        return said
    if len(said) != len(known) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(said, known, strict=False)
    ):
        texts = ["(%s)" % ", ".join("?" if size is None else str(size) for size in shape) for shape in (known, said)]
        raise Refusal(
            "UsageError", "Expected a shape of the input %r that fits %s. Received %s." % (name, texts[0], texts[1])
        )
    return [there if size is None else size for size, there in zip(said, known, strict=False)]


def _cut(node, port, shape):
    """Turns an inner node's output into an input.

    Raises:
        Refusal: it has several outputs, or its element type cannot be told.
    """
    if port:
        raise Refusal("UsageError", "Expected a node with one output as an input. Received %s:%d." % (node.name, port))
    for key in ("T", "dtype", "DstT", "output_type", "component_types", "output_types"):
        if key in node.attr:
            kind = node.attr[key].type or (node.attr[key].list.type[0] if node.attr[key].list.type else 0)
            make_placeholder(node, kind, shape)
            return
    raise Refusal(
        "UsageError",
        "Expected a tensor as input. Received the node %r of op %s, whose type the graph does not tell."
        % (node.name, node.op),
    )


def _write_dropout(context, node, name, arguments):
    message = node.get_attr_value("message")
    text = message.decode() if isinstance(message, bytes) else message
    if not text.startswith(DROPOUT):
        context.replace_all_inputs(node.output[0], node.input[0])
        context.remove_node(node.name)
        return
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    ratio = context.make_const(
        tf2onnx.utils.make_name("ratio"), tf2onnx.utils.np.array(float(text[len(DROPOUT) :]), "float32")
    )
    source, result = node.input[0], node.output[0]
    context.remove_node(node.name)
    context.make_node("Dropout", [source, ratio.output[0]], outputs=[result], name=name, shapes=[shape], dtypes=[dtype])


def _one_around(op, first):
    """A handler for a function that is 1 − op(x), or op(x) − 1."""

    def write(context, node, name, arguments):
        dtype, shapes = context.get_dtype(node.input[0]), node.output_shapes
        inner = context.make_node(op, [node.input[0]], dtypes=[dtype], shapes=shapes)
        kind = tf2onnx.utils.map_onnx_to_numpy_type(dtype)
        one = context.make_const(tf2onnx.utils.make_name("one"), tf2onnx.utils.np.array(1, kind))
        terms = [one.output[0], inner.output[0]] if first else [inner.output[0], one.output[0]]
        result = node.output[0]
        context.remove_node(node.name)
        context.make_node("Sub", terms, outputs=[result], name=name, dtypes=[dtype], shapes=shapes)

    return write


HANDLERS = {
    "CheckNumerics": (_write_dropout, []),
    "Erfc": (_one_around("Erf", True), []),
    "Expm1": (_one_around("Exp", False), []),
}


def _convert(graph, inputs, outputs):
    logging.disable(logging.CRITICAL)
    try:
        with tf.device("/cpu:0"):
            with tf.Graph().as_default():
                optimized = tf_optimize(inputs, outputs, graph)
            with tf.Graph().as_default() as imported:
                tf.import_graph_def(optimized, name="")
                converted = tf2onnx.tfonnx.process_tf_graph(
                    imported,
                    continue_on_error=True,
                    opset=OPSET,
                    custom_op_handlers=dict(HANDLERS),
                    input_names=inputs,
                    output_names=outputs,
                )
                known = tf2onnx.optimizer._get_optimizers()
                chosen = {name: known[name] for name in CLEANING if name in known}
                return tf2onnx.optimizer.optimize_graph(converted, optimizers=chosen).make_model("tensorflow")
    finally:
        logging.disable(logging.NOTSET)


def _check(model, ops):
    """Refuses a model with ops that ONNX has not, all at once."""
    unknown = []

    def visit(graph):
        for node in graph.node:
            if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type, OPSET, ""):
                unknown.append("%s: TensorFlow op %s" % (node.name, node.op_type))
            for attribute in node.attribute:
                for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                    visit(inner)

    visit(model.graph)
    if unknown:
        raise Refusal(
            "UnsupportedModel",
            "Expected ops that ONNX can say. Received %d others." % len(unknown),
            "Choose --inputs and --outputs so that they are left out.",
            unknown,
        )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        said = "Expected a valid ONNX graph from tf2onnx. Received: %s" % str(error).splitlines()[0]
        raise Refusal("UnsupportedModel", said) from None


def _places(model, nodes):
    """For each ONNX node, the name of the TensorFlow node it comes from, and its op."""
    places = {}
    for node in model.graph.node:
        name = node.name
        while name and name not in nodes:
            cut = max(name.rfind("__"), name.rfind("/"), name.rfind("_"))
            name = name[:cut] if cut > 0 else ""
        if name:
            places[node.name] = [name, nodes[name]]
    return places


def export(files, format, folder, inputs, outputs, shapes, signature):
    """Writes `graph.onnx` and `weights.bin` to `folder` and returns what the parent needs to join them.

    Raises:
        Refusal: the graph cannot be taken, with the reason and what to do.
    """
    notes = []
    asked = _load(files, format, signature)
    everything = {node.name: node for node in asked.graph.node}
    restored = restored_names(asked.graph)
    taken, results = _chosen(asked, everything, inputs, outputs)
    library, versions = asked.graph.library, asked.graph.versions
    stops = [split(tensor)[0] for _, tensor in taken]
    found_shapes = {name: shape_of(node) for name, node in everything.items() if node.op in PLACEHOLDERS}
    roots = [split(tensor)[0] for _, tensor in results]
    total = len(everything)
    nodes = prune(everything, roots, stops)
    flags = Flags(nodes, stops, notes)
    fold_branches(nodes, library, flags)
    nodes = prune(nodes, roots, stops)
    fold_dropout(nodes, flags)
    nodes = prune(nodes, roots, stops)
    if not taken:
        taken = [(name, name) for name in find_inputs(nodes)]
        stops = [name for _, name in taken]
        nodes = prune(nodes, roots, stops)
    entries = _placeholders(nodes, taken, found_shapes, shapes)
    weights = Weights(os.path.join(folder, "weights.bin"))
    try:
        stubbed = set()
        stub_constants(nodes, weights, stubbed)
        kept = roots + stops
        nodes, library = inlined(nodes, library, versions, kept)
        nodes = prune(nodes, roots, stops)
        restored = {name: source for name, source in restored.items() if name in nodes}
        flags.nodes = nodes
        fold_branches(nodes, library, flags)
        nodes = prune(nodes, roots, stops)
        fold_dropout(nodes, flags)
        nodes = prune(nodes, roots, stops)
        stub_constants(nodes, weights, stubbed)
        stub_variables(nodes, asked.prefix, restored, weights, notes)
    finally:
        weights.close()
    _refuse_leftovers(nodes, stops, {row["name"] for row in weights.table})
    if len(nodes) < total:
        notes.append(
            (
                "Dropped",
                "the graph",
                "%d of %d nodes that the outputs do not need at inference" % (total - len(nodes), total),
            )
        )
    ops = {name: node.op for name, node in nodes.items()}
    graph = assemble(nodes, library, versions)
    del asked, everything, nodes
    gc.collect()
    used = {row["name"] for row in weights.table}
    tensors_in = ["%s:0" % name for _, name in entries]
    tensors_out = [tensor if ":" in tensor else tensor + ":0" for _, tensor in results]
    model = _convert(graph, tensors_in + ["%s:0" % name for name in sorted(used)], tensors_out)
    _check(model, ops)
    onnx.save(model, os.path.join(folder, "graph.onnx"))
    return {
        "graph": "graph.onnx",
        "data": "weights.bin",
        "weights": weights.table,
        "inputs": [[shown, tensor] for (shown, _), tensor in zip(entries, tensors_in, strict=False)],
        "outputs": [[shown, tensor] for (shown, _), tensor in zip(results, tensors_out, strict=False)],
        "feeds": flags.feeds,
        "places": _places(model, ops),
        "notes": [list(note) for note in dict.fromkeys(notes)],
    }


def _refuse_leftovers(nodes, inputs, weights):
    """Refuses placeholders that nobody feeds, all at once."""
    left = [
        name for name, node in nodes.items() if node.op in PLACEHOLDERS and name not in inputs and name not in weights
    ]
    if left:
        raise Refusal(
            "UsageError",
            "Expected inputs that determine the outputs. Received a graph that also needs %s." % ", ".join(left),
            "Add to --inputs: %s" % ",".join(left),
        )
