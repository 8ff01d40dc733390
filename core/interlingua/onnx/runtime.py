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
LACKS = re.compile(r"Could not find an implementation for (\w+)\(")
EXPANDED = "interlingua.expanded"


def versions(arrays):
    """The versions of what runs here."""
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "numpy": np.__version__}, {}


def run(arrays, *, path, format="onnx", outputs=None):
    """The outputs of the model at `path` (all of them, or those named), computed from `arrays` by input name."""
    if not _is_text(path):
        try:
            return _evaluate(_session(path), arrays, outputs)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            pass
    return _evaluate(_expanded_session(_load(path), path), arrays, outputs)


def trace(arrays, *, path, names, format="onnx"):
    """The values named `names`, wherever in the graph they stand; names the model does not have are left out."""
    proto = _load(path)
    there = {output.name for output in proto.graph.output}
    passed = {name: arrays[name] for name in names if name in arrays}
    known = {name for node in proto.graph.node for name in node.output if name}
    missing = [name for name in dict.fromkeys(names) if name in known and name not in there]
    types = _types(proto) if missing else {}
    proto.graph.output.extend(types[name] for name in missing)
    wanted = [name for name in dict.fromkeys(names) if name in known or name in there]
    _, values = _evaluate(_expanded_session(proto, path), arrays, wanted)
    values.update(passed)
    return {"outputs": list(values)}, values


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
    values = zip(names, session.run(names, given))
    kept = {name: np.asarray(value) for name, value in values if isinstance(value, (np.ndarray, np.generic))}
    return {"outputs": list(kept)}, kept


def _is_text(path):
    return path.endswith((".onnxtxt", ".onnxtext", ".onnx.txt"))


def _load(path):
    if _is_text(path):
        with open(path) as stream:
            return onnx.parser.parse_model(stream.read())
    return onnx.load(path, load_external_data=False)


def _external(proto):
    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in proto.graph.initializer)


def _expanded_session(proto, path):
    """A session of a changed model; operators that onnxruntime lacks are replaced by their bodies, one after another."""
    while True:
        try:
            return _open(proto, path)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
            found = LACKS.search(str(error))
            if found is None or not _expand(proto, found.group(1)):
                raise


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
    version = next(each.version for each in proto.opset_import if each.domain in ("", "ai.onnx"))
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
            body = onnx.FunctionProto.FromString(
                schema.get_context_dependent_function(node.SerializeToString(), kinds)
            )
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
