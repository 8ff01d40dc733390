"""Makes TensorFlow's native artifacts of a generated model: a SavedModel, a frozen graph, a TensorFlow 1 checkpoint.

A frozen graph and a checkpoint are written from one graph with the variables taken out, so that the weights are
copied one at a time and never as a whole.
"""

import json
import os

import tensorflow as tf
from runtime_freeze import read_plainly
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import meta_graph, tensor_util

SAVED_MODEL, FROZEN, CHECKPOINT = "tensorflow-savedmodel", "tensorflow-frozen", "tensorflow-checkpoint"
EXTRA = os.path.join("assets.extra", "outputs.json")


def write(model, folder, native, inputs, names, outputs):
    """Writes the artifact; returns its path, its files and how many transposes its graph holds."""
    names = names or [entry["name"] for entry in inputs]
    specs = [
        tf.TensorSpec(entry["shape"], tf.as_dtype(entry["dtype"]), name=name)
        for entry, name in zip(inputs, names, strict=False)
    ]
    makers = {SAVED_MODEL: _saved_model, FROZEN: _frozen, CHECKPOINT: _checkpoint}
    if native not in makers:
        raise ValueError("Expected a native artifact of TensorFlow (%s). Received %r." % (", ".join(makers), native))
    return makers[native](model, folder, specs, outputs)


def _named(results, outputs):
    flat = tf.nest.flatten(results)
    return dict(zip(outputs or ["output_%d" % index for index in range(len(flat))], flat, strict=False))


def _counted(graph):
    nodes = list(graph.node) + [node for function in graph.library.function for node in function.node_def]
    return sum(node.op == "Transpose" for node in nodes)


def _saved_model(model, folder, specs, outputs):
    path = os.path.join(folder, "saved_model")
    serve = tf.function(lambda *tensors: _named(model(*tensors), outputs), input_signature=specs)
    concrete = serve.get_concrete_function()
    model.serve = serve
    tf.saved_model.save(model, path, signatures={"serving_default": concrete})
    if len(outputs) > 1:
        os.makedirs(os.path.join(path, "assets.extra"))
        with open(os.path.join(path, EXTRA), "w") as file:
            json.dump(outputs, file)
    files = [
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, found in os.walk(path)
        for name in sorted(found)
    ]
    return {"path": "saved_model", "files": sorted(files), "transposes": _counted(concrete.graph.as_graph_def())}


def _opened(model, specs, outputs):
    """The model's graph with a placeholder for each variable: (graph, variables by placeholder name)."""
    function = tf.function(lambda *tensors: list(_named(model(*tensors), outputs).values()), input_signature=specs)
    concrete = function.get_concrete_function()
    definition = concrete.graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    by_handle = {id(variable.handle): variable for variable in model.variables}
    variables = {}
    for outer, inner in concrete.graph.captures:
        if id(outer) in by_handle:
            variable = by_handle[id(outer)]
            variables[inner.op.name] = variable
            node = nodes[inner.op.name]
            node.attr["dtype"].type = variable.dtype.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
    read_plainly(nodes)
    for node in definition.node:
        plain = [tensor for tensor in node.input if not tensor.startswith("^")]
        del node.input[:]
        node.input.extend(plain)
        for key in ("_output_shapes", "_class", "_user_specified_name"):
            if key in node.attr:
                del node.attr[key]
    placed = {spec.name: tensor.op.name for spec, tensor in zip(specs, concrete.inputs, strict=False)}
    ends = [tensor.name for tensor in concrete.outputs]
    return definition, variables, placed, ends


def _renamed(definition, variables, placed, ends, outputs):
    """Nodes named as the source names them: inputs, variables, outputs; returns variables by their new node names."""
    wanted = {old: new for new, old in placed.items()}
    wanted.update({old: variable.name[:-2] for old, variable in variables.items()})
    outputs = outputs or ["output_%d" % index for index in range(len(ends))]
    reserved = set(wanted.values()) | set(outputs)
    kept = [node for node in definition.node if node.op != "NoOp"]
    renamed, used = {}, set(reserved)
    for node in kept:
        name = wanted.get(node.name)
        if name is None:
            name = node.name
            while name in used:
                name += "_1"
            used.add(name)
        renamed[node.name] = name
    final = graph_pb2.GraphDef()
    final.versions.CopyFrom(definition.versions)
    for node in kept:
        copy = final.node.add()
        copy.CopyFrom(node)
        copy.name = renamed[node.name]
        for index, tensor in enumerate(node.input):
            source, _, port = tensor.partition(":")
            copy.input[index] = renamed[source] + (":" + port if port else "")
    types = {node.name: node for node in final.node}
    for name, tensor in zip(outputs, ends, strict=False):
        source, _, port = tensor.partition(":")
        inner = renamed[source]
        if types[inner].op == "Identity" and name not in types:
            _rename_last(final, types[inner], name)
            continue
        node = final.node.add(name=name, op="Identity", input=[inner + (":" + port if port != "0" else "")])
        node.attr["T"].type = tf.float32.as_datatype_enum
    meta = meta_graph_pb2.MetaGraphDef(graph_def=final)
    meta_graph.strip_graph_default_valued_attrs(meta)  # older versions refuse attributes they do not know
    final.CopyFrom(meta.graph_def)
    return final, {renamed[old]: variable for old, variable in variables.items()}


def _rename_last(graph, node, name):
    """Gives the Identity that a function ends with the output's name."""
    old, node.name = node.name, name
    for other in graph.node:
        for index, tensor in enumerate(other.input):
            if tensor == old or tensor.startswith(old + ":"):
                other.input[index] = name + tensor[len(old) :]


def _frozen(model, folder, specs, outputs):
    definition, variables = _renamed(*_opened(model, specs, outputs), outputs)
    path = os.path.join(folder, "model.pb")
    with open(path, "wb") as file:
        for node in definition.node:
            file.write(_constant(node, variables).SerializeToString())
        rest = graph_pb2.GraphDef()
        rest.versions.CopyFrom(definition.versions)
        file.write(rest.SerializeToString())
    return {"path": "model.pb", "files": ["model.pb"], "transposes": _counted(definition)}


def _constant(node, variables):
    """A graph of one node, the variable's placeholder as a constant: messages written one after another are one."""
    single = graph_pb2.GraphDef()
    copy = single.node.add()
    copy.CopyFrom(node)
    if node.name in variables:
        value = variables[node.name].numpy()
        copy.op = "Const"
        copy.attr.clear()
        copy.attr["dtype"].type = variables[node.name].dtype.as_datatype_enum
        copy.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    return single


def _checkpoint(model, folder, specs, outputs):
    definition, variables = _renamed(*_opened(model, specs, outputs), outputs)
    v1 = tf.compat.v1
    inner = graph_pb2.GraphDef()
    inner.versions.CopyFrom(definition.versions)
    inner.node.extend(node for node in definition.node if node.name not in variables)
    with tf.Graph().as_default() as graph:
        made = {}
        for name, variable in variables.items():
            made[name] = v1.get_variable(
                name,
                variable.shape,
                variable.dtype,
                v1.zeros_initializer(),
                trainable=variable.trainable,
                use_resource=False,
            )
        inputs = dict(made)
        for node in inner.node:
            for index, tensor in enumerate(node.input):
                if tensor in inputs:
                    node.input[index] = made[tensor].value().op.name
        _import_beside(graph, inner)
        with v1.Session(graph=graph, config=_one_thread()) as session:
            for name, variable in variables.items():
                with context.eager_mode():
                    value = variable.numpy()
                made[name].load(value, session)
            v1.train.Saver(list(made.values())).save(session, os.path.join(folder, "model"), strip_default_attrs=True)
    files = sorted(
        name
        for name in os.listdir(folder)
        if name == "checkpoint" or (name.startswith("model.") and name != "model.py")
    )
    return {"path": "model", "files": files, "transposes": _counted(definition)}


def _import_beside(graph, definition):
    """Imports nodes that read variables already in the graph."""
    known = {node.name for node in definition.node}
    outer = sorted({t.partition(":")[0] for node in definition.node for t in node.input} - known)
    mapped = {name: graph.get_tensor_by_name(name + ":0") for name in outer}
    replaced = graph_pb2.GraphDef()
    replaced.CopyFrom(definition)
    for name in outer:
        node = replaced.node.add(name="outer/" + name, op="Placeholder")
        node.attr["dtype"].type = mapped[name].dtype.as_datatype_enum
    for node in replaced.node:
        for index, tensor in enumerate(node.input):
            if tensor.partition(":")[0] in mapped:
                node.input[index] = "outer/" + tensor
    tf.import_graph_def(replaced, name="", input_map={"outer/%s:0" % name: tensor for name, tensor in mapped.items()})


def _one_thread():
    return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
