"""Takes the weights out of a graph: variables and constants become placeholders, their data goes to a file.

Runs in the worker. At no time are all weights in memory: each tensor is read from the checkpoint and written.
"""

import re

import numpy as np
import tensorflow as tf
from runtime_graph import FLOATS, VARIABLES, Refusal, data_inputs, dtype_of, make_placeholder, shape_of, split
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import tensor_util

SHADOW = "/ExponentialMovingAverage"
ALIGNMENT = 64
REFERENCE = 100
CORRUPT = (tf.errors.OpError, RuntimeError, ValueError, LookupError)
"""What the reader of checkpoints raises on one that is truncated or damaged."""
_INPUT = re.compile(r"^\^?([^:]+)(?::([^:]+))?(?::(\d+))?$")


def restored_names(graph):
    """For each variable node, the (checkpoint key, slice) the graph's own savers restore it from."""
    nodes = {node.name: node for node in graph.node}
    found = {}
    for node in graph.node:
        if node.op in ("Assign", "AssignVariableOp"):
            source = _restore_of(nodes, node.input[1])
            if source is not None:
                found.setdefault(split(node.input[0])[0], source)
    functions = {function.signature.name: function for function in graph.library.function}
    for node in graph.node:
        if node.op in ("StatefulPartitionedCall", "PartitionedCall"):
            function = functions.get(node.attr["f"].func.name)
            if function is None or not any(inner.op == "RestoreV2" for inner in function.node_def):
                continue
            inner = {item.name: item for item in function.node_def}
            arguments = [argument.name for argument in function.signature.input_arg]
            for item in function.node_def:
                if item.op == "AssignVariableOp" and item.input[0] in arguments:
                    source = _restore_of(inner, item.input[1])
                    if source is not None:
                        found[split(node.input[arguments.index(item.input[0])])[0]] = source
    return found


def _restore_of(nodes, tensor):
    for _ in range(8):
        name, _, port = _INPUT.match(tensor).groups()
        node = nodes.get(name)
        if node is None:
            return None
        if node.op == "RestoreV2":
            index = int(port or (tensor.rpartition(":")[2] if tensor.count(":") == 1 else 0))
            names, slices = (_strings(nodes, node.input[position]) for position in (1, 2))
            return None if names is None or index >= len(names) else (names[index], slices[index] if slices else "")
        if node.op != "Identity":
            return None
        tensor = node.input[0]
    return None


def _strings(nodes, tensor):
    node = nodes.get(tensor.split(":")[0])
    if node is None or node.op != "Const":
        return None
    return [text.decode() for text in np.ravel(tensor_util.MakeNdarray(node.attr["value"].tensor)).tolist()]


def _plain_slice(text):
    """`10 20 0,5:-` as (slice(0, 5), slice(None)); the empty text as the whole."""
    if not text:
        return ()
    parts = text.split(" ")[-1].split(":")
    return tuple(
        slice(None) if part == "-" else slice(int(part.split(",")[0]), sum(int(number) for number in part.split(",")))
        for part in parts
    )


class Weights:
    """The weights file: tensors one after another, each aligned, with a table of where they lie."""

    def __init__(self, path):
        self.file = open(path, "wb")  # noqa: SIM115  (closed by `close`)
        self.table = []

    def add(self, name, array):
        """Appends one tensor under `name`."""
        offset = -self.file.tell() % ALIGNMENT
        self.file.write(b"\0" * offset)
        start = self.file.tell()
        array = np.ascontiguousarray(array)
        self.file.write(array.reshape(-1).view(np.uint8).data if array.size else b"")
        self.table.append(
            {
                "name": name,
                "dtype": array.dtype.name,
                "shape": list(array.shape),
                "offset": start,
                "length": array.nbytes,
            }
        )

    def close(self):
        """Ends the file."""
        self.file.close()


def variables_used(nodes):
    """The variables of a pruned graph."""
    return [name for name, node in nodes.items() if node.op in VARIABLES]


def stub_variables(nodes, prefix, restored, weights, notes):
    """Makes a placeholder of each variable, keeps reads as Identity, and writes the values from the checkpoint.

    Raises:
        Refusal: the checkpoint lacks variables; all are named.
    """
    used = variables_used(nodes)
    if not used:
        return
    if prefix is None:
        raise Refusal(
            "InvalidSource",
            "Expected a frozen graph. Received one with %d variables, whose values are elsewhere." % len(used),
            "Give the checkpoint (its .meta, folder or prefix) instead of the graph alone.",
        )
    try:
        reader = tf.train.load_checkpoint(prefix)
    except CORRUPT as error:
        said = "Expected a readable checkpoint. Received: %s" % str(error).splitlines()[0]
        raise Refusal("InvalidSource", said) from None
    keys = reader.get_variable_to_shape_map()
    sources, missing = {}, []
    for name in used:
        source = _key(nodes[name], keys, restored, notes)
        if source is None:
            missing.append(name)
        sources[name] = source
    if missing:
        raise Refusal(
            "InvalidSource",
            "Expected the values of %d variables in the checkpoint. Received none for %d of them."
            % (len(used), len(missing)),
            "Is it the checkpoint of this graph? It holds %d tensors, such as %s."
            % (len(keys), ", ".join(sorted(keys)[:3])),
            missing,
        )
    for name in used:
        node, (key, part) = nodes[name], sources[name]
        try:
            value = reader.get_tensor(key)[_plain_slice(part)]
        except CORRUPT as error:
            said = "Expected the value of %r. Received: %s" % (key, str(error).splitlines()[0])
            raise Refusal("InvalidSource", said) from None
        declared = shape_of(node)
        if declared is not None and None not in declared and list(value.shape) != declared:
            raise Refusal(
                "InvalidSource",
                "Expected %r with shape %s, as the graph declares. Received %s in the checkpoint."
                % (name, declared, list(value.shape)),
            )
        weights.add(name, value)
        make_placeholder(node, dtype_of(node), value.shape)
    read_plainly(nodes)
    skipped = [
        key
        for key in keys
        if key not in {source[0] for source in sources.values()} and not key.endswith("VARIABLE_VALUE")
    ]
    slots = [key for key in skipped if not key.endswith(SHADOW) and not key.startswith("_CHECKPOINTABLE")]
    if slots:
        notes.append(
            (
                "Dropped",
                ", ".join(slots[:4]) + (", …" if len(slots) > 4 else ""),
                "%d tensors of the checkpoint that inference does not use" % len(slots),
            )
        )


def _key(node, keys, restored, notes):
    shared = node.attr["shared_name"].s.decode() if "shared_name" in node.attr else ""
    for key in (node.name, shared):
        if key in keys:
            if key + SHADOW in keys:
                notes.append(
                    (
                        "Assumed",
                        node.name,
                        "has its trained value; the checkpoint also holds its moving average, %s%s" % (key, SHADOW),
                    )
                )
            return key, ""
    if node.name in restored and restored[node.name][0] in keys:
        return restored[node.name]
    if node.name + SHADOW in keys:
        notes.append(("Assumed", node.name, "has its moving average: the checkpoint holds nothing else for it"))
        return node.name + SHADOW, ""
    return None


def read_plainly(nodes):
    """Turns reads of resources into reads of plain tensors."""
    for node in list(nodes.values()):
        if node.op == "ReadVariableOp":
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype
        elif node.op == "ResourceGather":
            dtype, indices = node.attr["dtype"].type, node.attr["Tindices"].type
            axis = node.name + "/axis"
            while axis in nodes:
                axis += "_"
            constant = type(node)(name=axis, op="Const")
            constant.attr["dtype"].type = types_pb2.DT_INT32
            constant.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(0, dtype=tf.int32))
            nodes[axis] = constant
            node.op = "GatherV2"
            node.input.append(axis)
            node.attr.clear()
            node.attr["Tparams"].type, node.attr["Tindices"].type, node.attr["Taxis"].type = (
                dtype,
                indices,
                types_pb2.DT_INT32,
            )
        elif node.op == "Identity" and node.attr["T"].type == types_pb2.DT_RESOURCE:
            source = nodes.get(split(node.input[0])[0])
            if source is not None and "dtype" in source.attr:
                node.attr["T"].type = source.attr["dtype"].type
        elif node.op == "Identity" and node.attr["T"].type > REFERENCE:
            node.attr["T"].type -= REFERENCE


def stub_constants(nodes, weights, taken):
    """Makes a placeholder of each constant that holds weights (floats, more than one), and writes its value."""
    users = {}
    for node in nodes.values():
        for source, _ in data_inputs(node):
            users.setdefault(source, []).append(node)
    for name, node in nodes.items():
        if node.op != "Const" or dtype_of(node) not in FLOATS or name in taken:
            continue
        shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
        if int(np.prod(shape)) < 2:
            continue
        weights.add(name, _value(node))
        taken.add(name)
        make_placeholder(node, dtype_of(node), shape)


def _value(node):
    """The array of a constant; one with plain bytes is viewed, not copied."""
    tensor = node.attr["value"].tensor
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    dtype = tf.as_dtype(tensor.dtype).as_numpy_dtype
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    content = tensor.tensor_content
    if not content:
        return tensor_util.MakeNdarray(tensor)
    if len(content) != size:
        raise Refusal(
            "InvalidSource", "Expected %d bytes in the constant %r. Received %d." % (size, node.name, len(content))
        )
    return np.frombuffer(content, dtype).reshape(shape)
