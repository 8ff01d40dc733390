"""Runs, traces, exports and makes TensorFlow artifacts, inside a worker process.

The same file serves TensorFlow 2 and, for running, TensorFlow 1.15 under Python 3.7: it imports nothing of ours
but the files `runtime_*.py` beside it.
"""

import importlib.util
import inspect
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow

_HERE = os.path.dirname(os.path.abspath(__file__))
if _HERE not in sys.path:
    sys.path.append(_HERE)

import runtime_graph

_v1 = tensorflow.compat.v1
_loaded = [0]


def versions(arrays):
    """The versions of Python and TensorFlow."""
    return {"python": "%d.%d.%d" % sys.version_info[:3], "tensorflow": tensorflow.__version__}, {}


def export(arrays, files, format, folder, inputs=(), outputs=(), shapes=None, signature=""):
    """Brings a graph to ONNX in `folder`; what the user has to know comes back as `refused`, not as an exception."""
    import runtime_export

    try:
        return runtime_export.export(files, format, folder, list(inputs), list(outputs), shapes or {}, signature), {}
    except runtime_graph.Refusal as refusal:
        refused = {"kind": refusal.kind, "message": refusal.message, "hint": refusal.hint, "refusals": refusal.refusals}
        return {"refused": refused}, {}


def run(arrays, path, format, inputs=None, outputs=None, feeds=None, signature=""):
    """Runs an artifact; gives its outputs in order."""
    if format == "python":
        results = _call(_load_python(path), arrays)
        return {"outputs": list(results)}, results
    with _v1.Graph().as_default() as graph, _v1.Session(graph=graph, config=_settings()) as session:
        taken, wanted = _enter(session, path, format, signature, inputs, outputs)
        values = session.run([_tensor(graph, tensor) for _, tensor in wanted], _fed(graph, arrays, taken, feeds))
    return {"outputs": [name for name, _ in wanted]}, {name: value for (name, _), value in zip(wanted, values)}


def trace(arrays, path, format, inputs=None, outputs=None, feeds=None, signature="", names=None):
    """The intermediate values of a graph by node name, as far as they are floating-point tensors of data."""
    if format == "python":
        import runtime_trace

        model = _load_python(path)
        return {}, runtime_trace.recorded(lambda: _call(model, arrays), names)
    with _v1.Graph().as_default() as graph, _v1.Session(graph=graph, config=_settings()) as session:
        taken, wanted = _enter(session, path, format, signature, inputs, outputs)
        fed = _fed(graph, arrays, taken, feeds)
        definition = {node.name: node for node in graph.as_graph_def().node}
        roots = [_tensor(graph, tensor).op.name for _, tensor in wanted]
        stops = {tensor.op.name for tensor in fed}
        within = runtime_graph.ancestors(definition, roots, stops)
        branches = _downstream(definition, within, {n for n in within if definition[n].op == "Switch"}, ("Merge",))
        reached = [name for name in _downstream(definition, within, stops) if name not in set(branches)]
        chosen = [name for name in reached if (names is None or name in names) and _is_value(graph, name)]
        values = {}
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            values.update(zip(part, session.run(["%s:0" % name for name in part], fed)))
    return {}, values


def materialise(arrays, folder, native, inputs, outputs=None):
    """Makes the native artifact of a generated package beside its model.py."""
    import runtime_write

    made = runtime_write.write(_load_python(folder), folder, native, inputs, outputs or [])
    return made, {}


def probe(arrays, api, args=(), kwargs=None, weights=None):
    """Calls an API by its dotted name: a string "@name" among the arguments stands for that array.

    A class is built first, gets `weights` (its attribute by name, from an array by name), and is then called with
    the arrays that the arguments did not use.
    """
    import runtime_probe

    return runtime_probe.call(arrays, api, list(args), dict(kwargs or {}), dict(weights or {}))


def _settings():
    return _v1.ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=1)


def _load_python(folder):
    """The model of a generated package: `load()` of its model.py, under a module name of its own."""
    _loaded[0] += 1
    name = "interlingua_model_%d" % _loaded[0]
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.load()


def _call(model, arrays):
    """A model's outputs by name, its inputs given by name where its parameters have these names, else by order."""
    call = model.__call__ if hasattr(model, "__call__") else model
    function = getattr(call, "python_function", call)
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    if set(arrays) == set(parameters):
        ordered = [arrays[name] for name in parameters]
    else:
        ordered = list(arrays.values())
    results = model(*[tensorflow.convert_to_tensor(_widened(value)) for value in ordered])
    if isinstance(results, dict):
        return {name: np.asarray(value) for name, value in results.items()}
    if not isinstance(results, (list, tuple)):
        results = [results]
    return {"output_%d" % index: np.asarray(value) for index, value in enumerate(results)}


def _widened(array):
    return array.astype(np.float32) if array.dtype == np.float64 else np.asarray(array)


def _checkpoint(path):
    """The (graph file, prefix) of a checkpoint given by its .meta, its folder or its prefix."""
    if path.endswith(".meta"):
        return path, path[: -len(".meta")]
    if os.path.isdir(path):
        path = tensorflow.train.latest_checkpoint(path) or next(
            os.path.join(path, name)[: -len(".meta")] for name in sorted(os.listdir(path)) if name.endswith(".meta")
        )
    return path + ".meta", path


def _enter(session, path, format, signature, inputs, outputs):
    """Brings the artifact into the session; gives (name, tensor) of its inputs and outputs."""
    if format == "tensorflow-savedmodel":
        meta = _v1.saved_model.load(session, ["serve"], path)
        return _signed(meta, signature, inputs, outputs)
    if format == "tensorflow-frozen":
        definition = _v1.GraphDef()
        with open(path, "rb") as file:
            definition.ParseFromString(file.read())
        _plain(definition)
        _v1.import_graph_def(definition, name="")
    else:
        graph_file, prefix = _checkpoint(path)
        meta = _v1.MetaGraphDef()
        with open(graph_file, "rb") as file:
            meta.ParseFromString(file.read())
        definition = meta.graph_def
        _plain(definition)
        saver = _v1.train.import_meta_graph(meta, clear_devices=True)
        saver.restore(session, prefix)
    nodes = {node.name: node for node in definition.node}
    wanted = list(outputs or runtime_graph.find_outputs(nodes))
    if inputs:
        return [(name, name) for name in inputs], [(name, name) for name in wanted]
    near = runtime_graph.ancestors(nodes, [runtime_graph.split(name)[0] for name in wanted])
    found = runtime_graph.find_inputs({name: node for name, node in nodes.items() if name in near})
    return [(name, name) for name in found], [(name, name) for name in wanted]


def _plain(definition):
    """Takes the attributes away that make TensorFlow refuse a training graph of an older version."""
    for node in definition.node:
        if "_output_shapes" in node.attr:
            del node.attr["_output_shapes"]


def _signed(meta, signature, inputs, outputs):
    keys = [key for key in meta.signature_def if meta.signature_def[key].outputs and not key.startswith("__")]
    chosen = signature or next((key for key in ("serving_default", "serve", "predict") if key in keys), (keys or [""])[0])
    signed = meta.signature_def[chosen]

    def side(entries, names):
        return [(name, entries[name].name if name in entries else name) for name in names or sorted(entries)]

    return side(signed.inputs, inputs), side(signed.outputs, outputs)


def _tensor(graph, name):
    return graph.get_tensor_by_name(name if ":" in name else name + ":0")


def _fed(graph, arrays, taken, feeds):
    """The feed of a session: arrays by name, or by order where the names are others; then the flags."""
    by_name = {name: tensor for name, tensor in taken}
    if not set(arrays) <= set(by_name):
        arrays = dict(zip(by_name, arrays.values()))
    fed = {}
    for name, array in arrays.items():
        tensor = _tensor(graph, by_name[name])
        fed[tensor] = np.asarray(array, tensor.dtype.as_numpy_dtype)
    for name, value in (feeds or {}).items():
        fed[_tensor(graph, name)] = value
    return fed


def _downstream(definition, within, starts, stops=()):
    """The nodes of `within` that are computed from `starts`, up to ops in `stops`, in the graph's order."""
    found = set(starts)
    ordered = [name for name in definition if name in within]
    changed = True
    while changed:
        changed = False
        for name in ordered:
            if name not in found and definition[name].op not in stops and any(source in found for source, _ in runtime_graph.data_inputs(definition[name])):
                found.add(name)
                changed = True
    return [name for name in ordered if name in found]


def _is_value(graph, name):
    operation = graph.get_operation_by_name(name)
    return bool(operation.outputs) and operation.outputs[0].dtype.is_floating
