"""Plain graph work on TensorFlow's GraphDef: names, ancestors, what are inputs and what are outputs.

Nodes are kept as a dict from name to NodeDef, so that nothing is copied while pruning. This file imports no
framework: the worker gives it TensorFlow's messages, `inspect` what it read from the bytes, in the same form.
"""

import difflib

FLOAT, DOUBLE, STRING, BOOL, BFLOAT16, HALF, RESOURCE = 1, 2, 7, 10, 14, 19, 20
FLOATS = (FLOAT, DOUBLE, BFLOAT16, HALF)

PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
SHAPE_ONLY = ("_output_shapes", "_class", "_XlaMustCompile", "_noinline", "_grappler_do_not_remove")
TRAINING = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply")
PREPARATION = (
    *("Reshape", "Identity", "StopGradient", "Shape", "Slice", "StridedSlice"),
    *("Pack", "ConcatV2", "Cast", "Rank", "Sub", "Size"),
)
SIDE = (
    "Assign", "AssignAdd", "AssignSub", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "NoOp",
    "SaveV2", "RestoreV2", "SaveSlices", "RestoreSlice", "ShardedFilename", "MergeV2Checkpoints", "MergeSummary",
    "Print", "PrintV2", "Assert", "IsVariableInitialized", "VarIsInitializedOp", "ReportUninitializedVariables",
    "ScatterUpdate", "ResourceScatterUpdate", "InitializeTableV2", "WriteFile", "StringFormat",
)  # fmt: skip


class Refusal(Exception):
    """What the user has to know: `kind` names the error class of the parent."""

    def __init__(self, kind, message, hint="", refusals=()):
        super().__init__(message)
        self.kind, self.message, self.hint, self.refusals = kind, message, hint, list(refusals)


def split(tensor):
    """`name:1` as ("name", 1); a name alone is its output 0; a control edge `^name` is ("name", -1)."""
    if tensor.startswith("^"):
        return tensor[1:], -1
    name, _, port = tensor.partition(":")
    return name, int(port or 0)


def join(name, port):
    """The shortest spelling of an output, as GraphDef has it."""
    return name if port == 0 else "%s:%d" % (name, port)


def data_inputs(node):
    """The (name, port) of every input that is not a control edge."""
    return [split(tensor) for tensor in node.input if not tensor.startswith("^")]


def ancestors(nodes, names, stop=()):
    """The names of `names` and of all nodes they are computed from; a node in `stop` is kept, what feeds it is not."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in nodes:
            continue
        found.add(name)
        if name not in stop:
            waiting.extend(source for source, _ in data_inputs(nodes[name]))
    return found


def consumers(nodes):
    """For each name, the nodes that take one of its outputs (control edges left aside)."""
    found = {name: [] for name in nodes}
    for node in nodes.values():
        for source, _ in data_inputs(node):
            if source in found:
                found[source].append(node)
    return found


def prune(nodes, names, stop=()):
    """Only the ancestors of `names`, without control edges, devices and attributes about shapes."""
    kept = ancestors(nodes, names, stop)
    pruned = {name: node for name, node in nodes.items() if name in kept}
    for name, node in pruned.items():
        wanted = [] if name in stop else [tensor for tensor in node.input if not tensor.startswith("^")]
        if len(wanted) != len(node.input):
            del node.input[:]
            node.input.extend(wanted)
        node.device = ""
        for attribute in SHAPE_ONLY:
            if attribute in node.attr:
                del node.attr[attribute]
    return pruned


def shape_of(node):
    """The static shape of a node's first output where the graph tells it: a list with None, or None."""
    if "_output_shapes" in node.attr and node.attr["_output_shapes"].list.shape:
        shape = node.attr["_output_shapes"].list.shape[0]
    elif "shape" in node.attr:
        shape = node.attr["shape"].shape
    else:
        return None
    return None if shape.unknown_rank else [dim.size if dim.size >= 0 else None for dim in shape.dim]


def dtype_of(node):
    """The DataType number of a placeholder, a variable or a constant."""
    return node.attr["dtype"].type


def make_placeholder(node, dtype, shape):
    """Turns a node into a Placeholder of that type and shape (None: unknown rank), keeping its name."""
    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = dtype
    if shape is None:
        node.attr["shape"].shape.unknown_rank = True
    else:
        node.attr["shape"].shape.SetInParent()
        for size in shape:
            node.attr["shape"].shape.dim.add().size = -1 if size is None else size


def is_side(node):
    """Whether a node saves, restores, initialises, summarises or trains."""
    return (
        node.op in SIDE or node.op.endswith("Summary") or node.op.endswith("SummaryV2") or node.op.startswith(TRAINING)
    )


def named(nodes, tensor, role):
    """The node a user's tensor name means.

    Raises:
        Refusal: there is none; near names are said.
    """
    name, port = split(tensor)
    if name in nodes and port >= 0:
        return name
    near = difflib.get_close_matches(name, list(nodes), n=3, cutoff=0.5)
    near = near or [other for other in nodes if other.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]][:3]
    hint = "Did you mean %s?" % " or ".join(near) if near else ""
    raise Refusal("UsageError", "Expected the name of a node of the graph as %s. Received %r." % (role, tensor), hint)


def _floating(node):
    numbers = [node.attr[key].type for key in ("T", "dtype", "DstT", "Tparams") if key in node.attr]
    return bool(numbers) and numbers[0] in FLOATS


def _feeding(nodes):
    """The placeholders that can be a model's inputs: not a flag, not a scalar, not part of a saver."""
    found = []
    for name, node in nodes.items():
        if node.op not in PLACEHOLDERS or dtype_of(node) in (BOOL, STRING, RESOURCE):
            continue
        if shape_of(node) == []:
            continue
        found.append(name)
    return found


def _weight(nodes, name):
    """Whether a node is a variable, its read, or a constant array of floats."""
    node = nodes.get(name)
    if node is not None and node.op in ("Identity", "ReadVariableOp") and node.input:
        node = nodes.get(split(node.input[0])[0])
    if node is None or node.op not in (*VARIABLES, "Const"):
        return False
    return node.op != "Const" or (_floating(node) and bool(node.attr["value"].tensor.tensor_shape.dim))


def _reached(starts, users, side):
    """The nodes that are computed from `starts`, those in `side` and what follows them left out."""
    found, waiting = set(), list(starts)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in side:
            found.add(name)
            waiting.extend(node.name for node in users[name])
    return found


def _without_preparation(nodes, reached, users, judged):
    """`reached` without the reshaping that a loss does for itself before it compares."""
    left, gone, changed = set(reached), set(judged), True
    while changed:
        changed = False
        for name in list(left):
            following = {user.name for user in users[name]}
            if nodes[name].op in PREPARATION and not following & left and following & gone:
                left.discard(name)
                gone.add(name)
                changed = True
    return left


def ends(nodes):
    """The ends of the inference part, in the graph's order.

    An end is a node computed from a placeholder that no other node needs, savers, summaries and training aside.
    A placeholder that reaches no weight holds labels: what is computed from it (a loss, an accuracy) is no output.
    """
    side = {name for name, node in nodes.items() if is_side(node) or "gradients" in name.split("/")}
    users = consumers(nodes)
    feeding = {name: _reached([name], users, side) for name in _feeding(nodes)}
    weighted = {node.name for node in nodes.values() if any(_weight(nodes, source) for source, _ in data_inputs(node))}
    labels = [name for name, reached in feeding.items() if not reached & weighted]
    judged = set().union(*(feeding[name] for name in labels)) if len(labels) < len(feeding) else set()
    reached = set().union(*feeding.values()) - judged if feeding else set()
    reached = _without_preparation(nodes, reached, users, judged)
    candidates = [
        name for name in nodes
        if name in reached and name not in feeding and not any(user.name in reached for user in users[name])
    ]  # fmt: skip
    for better in (lambda name: shape_of(nodes[name]) != [], lambda name: _floating(nodes[name])):
        candidates = [name for name in candidates if better(name)] or candidates
    return candidates


def find_outputs(nodes):
    """The output of a graph that nobody named: the one end of its inference part.

    Raises:
        Refusal: there is none, or several; they are listed.
    """
    candidates = ends(nodes)
    if len(candidates) == 1:
        return candidates
    if not candidates:
        raise Refusal(
            "UsageError",
            "Expected a graph with an end that a placeholder reaches. Received none.",
            "Name the outputs with --outputs.",
        )
    listed = ", ".join("%s (%s)" % (name, nodes[name].op) for name in candidates[:12])
    raise Refusal(
        "UsageError",
        "Expected one output to be found in the graph. Received %d candidates: %s." % (len(candidates), listed),
        "Name the ones you mean: --outputs %s" % candidates[0],
    )


def find_inputs(nodes):
    """The placeholders of a pruned graph, in its order.

    Raises:
        Refusal: there are none.
    """
    found = _feeding(nodes)
    if found:
        return found
    pipelines = [
        name
        for name, node in nodes.items()
        if node.op.startswith(("Iterator", "OneShotIterator", "QueueDequeue", "Batch"))
    ]
    hint = (
        "It reads its data by %s; name the tensor behind it with --inputs." % pipelines[0]
        if pipelines
        else "Name the inputs with --inputs."
    )
    raise Refusal("UsageError", "Expected a placeholder among the ancestors of the outputs. Received none.", hint)
