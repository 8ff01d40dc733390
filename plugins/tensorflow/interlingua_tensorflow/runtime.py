"""Runs, traces, exports and makes TensorFlow artifacts, inside a worker process.

The same file serves TensorFlow 2 and, for running, TensorFlow 1.15 under Python 3.7: it imports nothing of ours
but the files `runtime_*.py` beside it.
"""
# ruff: noqa: B905  (zip is not strict in Python 3.7)

import ctypes
import functools
import gc
import importlib.util
import inspect
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow
from tensorflow.python.framework import op_def_registry

_HERE = os.path.dirname(os.path.abspath(__file__))
if _HERE not in sys.path:
    sys.path.append(_HERE)

import runtime_graph  # noqa: E402  (it stands beside this file, which is loaded by its path)

_v1 = tensorflow.compat.v1
_loaded = [0]
LARGE = 1 << 16


def versions(arrays):
    """The versions of Python and TensorFlow."""
    return {"python": "%d.%d.%d" % sys.version_info[:3], "tensorflow": tensorflow.__version__}, {}


def _frees(function):
    """Gives memory back after a call: models and graphs hold themselves in cycles, and their weights are large."""

    @functools.wraps(function)
    def call(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        finally:
            gc.collect()
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)

    return call


@_frees
def export(arrays, files, format, folder, inputs=(), outputs=(), shapes=None, signature=""):
    """Brings a graph to ONNX in `folder`; what the user has to know comes back as `refused`, not as an exception."""
    import runtime_export

    try:
        return runtime_export.export(files, format, folder, list(inputs), list(outputs), shapes or {}, signature), {}
    except runtime_graph.Refusal as refusal:
        refused = {"kind": refusal.kind, "message": refusal.message, "hint": refusal.hint, "refusals": refusal.refusals}
        return {"refused": refused}, {}


@_frees
def run(arrays, path, format, inputs=None, outputs=None, feeds=None, signature=""):
    """Runs an artifact; gives its outputs in order."""
    if format == "python":
        results = _call(_load_python(path), arrays)
        results = dict(zip(outputs, results.values())) if outputs and len(outputs) == len(results) else results
        return {"outputs": list(results)}, results
    with _v1.Graph().as_default() as graph, _v1.Session(graph=graph, config=_settings()) as session:
        taken, wanted, large = _enter(session, path, format, signature, inputs, outputs)
        fed = _fed(graph, arrays, taken, dict(large, **(feeds or {})))
        values = session.run([_tensor(graph, tensor) for _, tensor in wanted], fed)
    return {"outputs": [name for name, _ in wanted]}, {name: value for (name, _), value in zip(wanted, values)}


@_frees
def trace(arrays, path, format, inputs=None, outputs=None, feeds=None, signature="", names=None):
    """The intermediate values of a graph by node name, as far as they are floating-point tensors of data."""
    if format == "python":
        import runtime_trace

        model = _load_python(path)
        return {}, runtime_trace.recorded(lambda: _call(model, arrays), names)
    with _v1.Graph().as_default() as graph, _v1.Session(graph=graph, config=_settings()) as session:
        taken, wanted, large = _enter(session, path, format, signature, inputs, outputs)
        fed = _fed(graph, arrays, taken, dict(large, **(feeds or {})))
        definition = {node.name: node for node in graph.as_graph_def().node}
        roots = [_tensor(graph, tensor).op.name for _, tensor in wanted]
        stops = {tensor.op.name for tensor in fed} - set(large)
        within = runtime_graph.ancestors(definition, roots, stops)
        branches = _downstream(definition, within, {n for n in within if definition[n].op == "Switch"}, ("Merge",))
        reached = [name for name in _downstream(definition, within, stops) if name not in set(branches)]
        chosen = [name for name in reached if (names is None or name in names) and _is_value(graph, name)]
        values = {}
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            values.update(zip(part, session.run(["%s:0" % name for name in part], fed)))
    return {}, values


@_frees
def materialise(arrays, folder, native, inputs, names=(), outputs=()):
    """Makes the native artifact of a generated package beside its model.py.

    `names` are what the artifact calls its inputs, in their order, `outputs` what it calls its outputs.
    """
    import runtime_write

    return runtime_write.write(_load_python(folder), folder, native, inputs, list(names), list(outputs)), {}


def probe(arrays, api, args=(), kwargs=None, weights=None, layer=False):
    """One API call by its dotted name: on the arrays named in `args`, with `weights` and `kwargs` by parameter."""
    import runtime_probe

    results = runtime_probe.call(arrays, api, list(args), dict(kwargs or {}), dict(weights or {}), _settings())
    return {}, {"output_%d" % index: value for index, value in enumerate(results)}


def _settings():
    """Two threads; no graph optimisation, which would copy every constant several times."""
    settings = _v1.ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=1)
    settings.graph_options.rewrite_options.disable_meta_optimizer = True
    settings.graph_options.optimizer_options.opt_level = _v1.OptimizerOptions.L0
    return settings


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
    function = getattr(model.__call__, "python_function", model.__call__)
    parameters = [name for name in inspect.signature(function).parameters if name not in ("self", "training")]
    named = set(arrays) == set(parameters)
    ordered = [arrays[name] for name in parameters] if named else list(arrays.values())
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
    """Brings the artifact into the session; gives (name, tensor) of its inputs and outputs, and values to feed."""
    if format == "tensorflow-savedmodel":
        meta = _v1.saved_model.load(session, ["serve"], path)
        return (*_signed(meta, path, signature, inputs, outputs), {})
    large = {}
    if format == "tensorflow-frozen":
        definition, large = _light(path)
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
    wanted = _wanted(nodes, outputs)
    if inputs:
        return [(name, name) for name in inputs], [(name, name) for name in wanted], large
    near = runtime_graph.ancestors(nodes, [runtime_graph.split(name)[0] for name in wanted])
    found = runtime_graph.find_inputs({n: node for n, node in nodes.items() if n in near and n not in large})
    return [(name, name) for name in found], [(name, name) for name in wanted], large


def _light(path):
    """A frozen graph whose large constants are placeholders, and their values by name.

    As constants they would be copied by every step from the message to the kernel.
    """
    whole, light, large = _v1.GraphDef(), _v1.GraphDef(), {}
    with open(path, "rb") as file:
        whole.ParseFromString(file.read())
    light.versions.CopyFrom(whole.versions)
    light.library.CopyFrom(whole.library)
    _plain(whole)
    for node in whole.node:
        content = node.attr["value"].tensor.tensor_content if node.op == "Const" else b""
        if len(content) >= LARGE:
            shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
            dtype = tensorflow.as_dtype(node.attr["dtype"].type).as_numpy_dtype
            large[node.name] = np.frombuffer(content, dtype).reshape(shape)
            runtime_graph.make_placeholder(node, node.attr["dtype"].type, shape)
        light.node.add().CopyFrom(node)
    return light, large


def _plain(definition):
    """Takes away what makes TensorFlow refuse a graph of another version: shape hints, attributes it does not know."""
    first = tensorflow.__version__.startswith("1.")
    known = op_def_registry.get_registered_ops() if first else {}
    for node in definition.node:
        for key in list(node.attr):
            unknown = first and node.op in known and key not in {row.name for row in known[node.op].attr}
            if key == "_output_shapes" or (unknown and not key.startswith("_")):
                del node.attr[key]


def _wanted(nodes, outputs):
    """The output nodes: those named, or, where the names are not the graph's own, its ends in order."""
    if outputs and all(runtime_graph.split(name)[0] in nodes for name in outputs):
        return list(outputs)
    found = runtime_graph.ends(nodes)
    if outputs and len(found) == len(outputs):
        return found
    return runtime_graph.find_outputs(nodes)


def _signed(meta, path, signature, inputs, outputs):
    keys = [key for key in meta.signature_def if meta.signature_def[key].outputs and not key.startswith("__")]
    chosen = signature or next(
        (key for key in ("serving_default", "serve", "predict") if key in keys), (keys or [""])[0]
    )
    signed = meta.signature_def[chosen]
    given = sorted(signed.outputs)
    order = os.path.join(path, "assets.extra", "outputs.json")
    if os.path.exists(order):
        with open(order) as file:
            given = json.load(file)
    if outputs and not set(outputs) & set(given) and not any("/" in name or ":" in name for name in outputs):
        outputs = given if len(given) == len(outputs) else outputs

    def side(entries, names):
        return [(name, entries[name].name if name in entries else name) for name in names]

    return side(signed.inputs, inputs or sorted(signed.inputs)), side(signed.outputs, outputs or given)


def _tensor(graph, name):
    return graph.get_tensor_by_name(name if ":" in name else name + ":0")


def _fed(graph, arrays, taken, feeds):
    """The feed of a session: arrays by name, or by order where the names are others; then the flags."""
    by_name = dict(taken)
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
            if (
                name not in found
                and definition[name].op not in stops
                and any(source in found for source, _ in runtime_graph.data_inputs(definition[name]))
            ):
                found.add(name)
                changed = True
    return [name for name in ordered if name in found]


def _is_value(graph, name):
    operation = graph.get_operation_by_name(name)
    return bool(operation.outputs) and operation.outputs[0].dtype.is_floating
