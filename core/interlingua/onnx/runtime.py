"""Runs ONNX models in a worker process, with onnxruntime's graph optimisations off: they are wrong on a known pattern.

Every function takes arrays by name and keyword arguments, and returns a JSON value and arrays by name.
"""

import os
import re
import tempfile

import numpy as np
import onnx
import onnxruntime

ONE_MESSAGE = 1 << 30
LACKS = re.compile(r"(?:Could not find an implementation|Failed to find kernel) for (\w+)\((\d+)\)")
EXPANDED = "interlingua.expanded"
PINNED = 26
OLDEST_STAMP = 18


def versions(arrays):
    """The versions of what runs here."""
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "numpy": np.__version__}, {}


def run(arrays, *, path, outputs=None, format=None, functions=()):
    """The outputs of the model at `path` (all of them, or those named), computed from `arrays` by value name.

    A name may be an inner value's: of an array, it replaces what the graph computes; of an output, it is given too.
    `functions` are bodies of operators that onnxruntime does not know, serialized, in hexadecimal.
    """
    outputs = list(outputs) if outputs else None
    proto = load(path)
    _give(proto, functions)
    known = {each.name for each in proto.graph.input}
    ends = [each.name for each in proto.graph.output]
    inner = [name for name in arrays if name not in known]
    if not inner and not functions and not _is_text(path) and set(outputs or ()) <= set(ends):
        try:
            return _evaluate(_session(path), arrays, outputs)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            pass
    _cut(proto, {name: arrays[name] for name in inner})
    wanted = outputs or ends
    _expose(proto, wanted)
    if inner:
        _prune(proto, wanted)
    return _evaluate(_expanded_session(proto, path), arrays, wanted)


def trace(arrays, *, path, names=None, format=None, outputs=None, functions=()):
    """The values named `names` (all of them where None), wherever in the graph; names it does not have are left out."""
    proto = load(path)
    _give(proto, functions)
    known = {each.name for each in proto.graph.input}
    _cut(proto, {name: array for name, array in arrays.items() if name not in known})
    if names is None:
        names = [name for node in proto.graph.node for name in node.output if name]
    passed = {name: arrays[name] for name in names if name in arrays}
    wanted = [name for name in dict.fromkeys(names) if name not in passed]
    _expose(proto, wanted)
    if any(name not in known for name in arrays):
        _prune(proto, wanted)
    there = {each.name for each in proto.graph.output}
    _, values = _evaluate(_expanded_session(proto, path), arrays, [name for name in wanted if name in there])
    values.update(passed)
    return {"outputs": list(values)}, values


def _cut(proto, arrays):
    """Makes inner values inputs of the graph: what computed them is left out."""
    for name, array in arrays.items():
        dtype = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        proto.graph.input.append(onnx.helper.make_tensor_value_info(name, dtype, [None] * array.ndim))
    if not arrays:
        return
    ends = {each.name for each in proto.graph.output}
    for node in proto.graph.node:
        for index, name in enumerate(node.output):
            if name in arrays:
                node.output[index] = name + " (computed)"
                if name in ends:
                    next(each for each in proto.graph.output if each.name == name).name = name + " (computed)"


def _prune(proto, wanted):
    """Leaves out the outputs nobody wants, and the nodes and inputs that the others do not need."""
    kept = [each for each in proto.graph.output if each.name in wanted]
    del proto.graph.output[:]
    proto.graph.output.extend(kept)
    needed, nodes = set(wanted), []
    for node in reversed(proto.graph.node):
        if needed & set(node.output):
            needed |= _reads(node)
            nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))
    inputs = [each for each in proto.graph.input if each.name in needed]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _reads(node):
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for each in graph.node:
                names |= _reads(each)
            names |= {each.name for each in graph.output}
    return names


def _expose(proto, names):
    """Makes inner values outputs of the graph; names it does not have are passed over."""
    known = {name for node in proto.graph.node for name in node.output if name}
    there = {each.name for each in proto.graph.output}
    missing = [name for name in names if name in known and name not in there]
    types = _types(proto) if missing else {}
    proto.graph.output.extend(types[name] for name in dict.fromkeys(missing))


def probe(arrays, *, api, args=(), kwargs=None, weights=None):
    """One operator on the arrays that "$name" stands for, in `args` or by the input's name.

    Numbers under an input's name are a constant input; all others are attributes.
    """
    said = dict(kwargs or {})
    values = dict(arrays)
    order = [each.name for each in onnx.defs.get_schema(api, PINNED, "").inputs]
    names = [each[1:] if each else "" for each in args]
    for name in order[len(names) :]:
        value = said.pop(name, None)
        if isinstance(value, str) and value.startswith("$"):
            value = value[1:]
        elif value is not None:
            whole = isinstance(value, (int, list)) and not isinstance(value, bool)
            values["said." + name] = np.asarray(
                value, np.int64 if whole else None if isinstance(value, bool) else np.float32
            )
            value = "said." + name
        names.append(value or "")
    while names and not names[-1]:
        names.pop()
    node = onnx.helper.make_node(api, names, ["output"], **said)
    given = {name: values[name] for name in names if name}
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
    ]
    graph = onnx.helper.make_graph([node], "probe", inputs, [onnx.helper.make_empty_tensor_value_info("output")])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", PINNED)], ir_version=10)
    return _evaluate(_expanded_session(proto, ""), given, None)


def _session(source):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit():
        options.intra_op_num_threads = int(threads)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _evaluate(session, arrays, outputs):
    given = {each.name: arrays[each.name] for each in session.get_inputs() if each.name in arrays}
    have = [each.name for each in session.get_outputs()]
    names = have if outputs is None else [name for name in outputs if name in have]
    values = dict(zip(names, session.run(names, given), strict=True))
    kept = {name: np.asarray(each) for name, each in values.items() if isinstance(each, (np.ndarray, np.generic))}
    return {"outputs": list(kept), "told": getattr(session, "told", "")}, kept


def _is_text(path):
    return not path.endswith(".onnx")


def load(path):
    """The model of a file, text or binary; its external data stays where it is."""
    if path.endswith((".onnxtxt", ".onnxtext", ".onnx.txt")):
        with open(path, encoding="utf-8") as stream:
            return onnx.parser.parse_model(stream.read())
    form = "json" if path.endswith((".json", ".onnxjson")) else None
    form = form or ("textproto" if path.endswith((".textproto", ".txtpb", ".pbtxt")) else "protobuf")
    return onnx.load(path, format=form, load_external_data=False)


def _give(proto, functions):
    """Adds the functions to the model, which calls them."""
    held = {(each.domain, each.name) for each in proto.functions}
    for text in functions:
        function = onnx.FunctionProto.FromString(bytes.fromhex(text))
        if (function.domain, function.name) not in held:
            proto.functions.append(function)
        if all(each.domain != function.domain for each in proto.opset_import):
            proto.opset_import.add(domain=function.domain, version=1)


def _external(proto):
    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in proto.graph.initializer)


def _expanded_session(proto, path):
    """A session of a changed model, in which operators that onnxruntime lacks are said otherwise.

    Where nothing else is left, the standard's own evaluator takes the place of onnxruntime.
    """
    while True:
        try:
            return _open(proto, path)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
            found = LACKS.search(str(error))
            if found is None:
                raise
            if not mended(proto, found):
                return _Reference(proto, path, found.group(1), error)


def mended(proto, lacks):
    """Whether the model was changed to be without what onnxruntime lacks, which LACKS found in its words."""
    return _expand(proto, lacks.group(1)) or _restamp(proto, int(lacks.group(2)) - 1)


def _typed(array, kind):
    """The array in the type of an input: types that numpy lacks travel as whole numbers of their width."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind) if kind else array.dtype
    whole = array.dtype.kind in "iu" and dtype.isbuiltin == 2 and dtype.itemsize == array.dtype.itemsize
    return array.view(dtype) if whole else array


class _Reference:
    """The standard's own evaluator in the form of a session, for operators that onnxruntime has in no version."""

    def __init__(self, proto, path, operator, error):
        import onnx.reference  # slow, and rarely needed

        if _external(proto):
            onnx.load_external_data_for_model(proto, os.path.dirname(os.path.abspath(path)))
        try:
            self._evaluator = onnx.reference.ReferenceEvaluator(proto)
        except Exception:
            raise error from None
        self._graph = proto.graph
        self.told = "onnxruntime lacks %s: the reference evaluator of onnx computed it" % operator

    def get_inputs(self):
        weights = {each.name for each in self._graph.initializer}
        return [each for each in self._graph.input if each.name not in weights]

    def get_outputs(self):
        return list(self._graph.output)

    def run(self, names, given):
        kinds = {each.name: each.type.tensor_type.elem_type for each in self._graph.input}
        typed = {name: _typed(array, kinds.get(name, 0)) for name, array in given.items()}
        with np.errstate(all="ignore"):
            return self._evaluator.run(names, typed)


def _open(proto, path):
    if proto.ByteSize() < ONE_MESSAGE and not _external(proto):
        return _session(proto.SerializeToString())
    # external weights are found relative to the model's file, so the copy stands beside the original
    descriptor, copy = tempfile.mkstemp(suffix=".onnx", prefix=".run-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(proto.SerializeToString())
        return _session(copy)
    finally:
        os.unlink(copy)


def _expand(proto, op_type):
    """Turns each node of that type into a call of a function of the model, whose body is the standard's."""
    version = next((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), PINNED)
    if not any(node.op_type == op_type and node.domain in ("", "ai.onnx") for node in proto.graph.node):
        return False
    schema = onnx.defs.get_schema(op_type, version, "")
    types, done = None, 0
    for node in [n for n in proto.graph.node if n.op_type == op_type and n.domain in ("", "ai.onnx")]:
        for name, attribute in schema.attributes.items():
            if attribute.default_value.type and all(each.name != name for each in node.attribute):
                node.attribute.add().CopyFrom(attribute.default_value)
        if schema.has_function:
            body = onnx.FunctionProto.FromString(_body(schema, version))
        elif schema.has_context_dependent_function:
            types = types or _types(proto)
            kinds = [types[name].type.SerializeToString() if name else b"" for name in node.input]
            body = onnx.FunctionProto.FromString(schema.get_context_dependent_function(node.SerializeToString(), kinds))
        else:
            return False
        body.domain, body.name = EXPANDED, "%s_%d" % (op_type, len(proto.functions))
        proto.functions.append(body)
        node.domain, node.op_type = EXPANDED, body.name
        stated = {each.name for each in node.attribute}
        for name in stated - set(body.attribute) - {each.name for each in body.attribute_proto}:
            node.attribute.remove(next(each for each in node.attribute if each.name == name))
        done += 1
    if done and all(each.domain != EXPANDED for each in proto.opset_import):
        proto.opset_import.add(domain=EXPANDED, version=1)
    return done > 0


def _restamp(proto, version):
    """Says the model in an earlier opset, where every node's older schema takes what the node says."""
    stated = next(each for each in proto.opset_import if each.domain in ("", "ai.onnx"))
    if not OLDEST_STAMP <= version < stated.version:
        return False
    lacking = set()
    for node in _all_nodes(proto):
        if node.domain in ("", "ai.onnx") and not says_the_same(node, stated.version, version):
            lacking.add(node.op_type)
    if lacking:
        return all(_expand(proto, op_type) for op_type in sorted(lacking)) and _restamp(proto, version)
    for owner in (proto, *proto.functions):
        for each in owner.opset_import:
            if each.domain in ("", "ai.onnx"):
                each.version = min(each.version, version)
    return True


def _all_nodes(proto):
    """The nodes of the graph, its functions and all subgraphs."""
    pending = [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in [attribute.g, *attribute.graphs]:
                pending.extend(graph.node)


def says_the_same(node, version, older):
    """Whether the operator's older schema has the node's inputs and attributes with the same defaults."""
    new = onnx.defs.get_schema(node.op_type, version, "")
    try:
        old = onnx.defs.get_schema(node.op_type, older, "")
    except onnx.defs.SchemaError:
        return False
    if new.since_version == old.since_version:
        return True
    said = {each.name for each in node.attribute}
    if old.deprecated or not said <= set(old.attributes) or len(node.input) > old.max_input:
        return False
    return all(
        name in said or name not in new.attributes or new.attributes[name].default_value == attribute.default_value
        for name, attribute in old.attributes.items()
    )


def _body(schema, version):
    for opset in sorted(schema.function_opset_versions, reverse=True):
        if opset <= version:
            return schema.get_function_with_opset_version(opset)
    return schema.get_function_with_opset_version(schema.function_opset_versions[0])


def _types(proto):
    """The type of every value, float of unknown shape where inference finds none."""
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    small = [tensor for tensor in bare.graph.initializer if tensor.ByteSize() <= 4096]
    for tensor in bare.graph.initializer:
        if tensor.ByteSize() > 4096:
            shape = list(tensor.dims)
            bare.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, shape))
    del bare.graph.initializer[:]
    bare.graph.initializer.extend(small)
    inferred = onnx.shape_inference.infer_shapes(bare).graph
    types = {info.name: info for info in [*inferred.value_info, *inferred.input, *inferred.output]}
    for tensor in proto.graph.initializer:
        types[tensor.name] = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
    for node in proto.graph.node:
        for name in node.output:
            types.setdefault(name, onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return types
