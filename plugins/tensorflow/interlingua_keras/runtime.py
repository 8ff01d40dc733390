"""Runs Keras on TensorFlow inside a worker: whole models, their layers, single calls. Imports nothing of ours."""

import gc
import importlib.util
import json
import os
import sys
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")  # oneDNN's own never gives memory back

import keras
import numpy as np
import tensorflow as tf

NAMES = "interlingua.json"
"""The member of a `.keras` archive that leads from its names back to those of the source it was converted from."""

REGISTERED = "model>Parameter"
"""The registered name of the one layer that a written model.py may define; weights go by the class's own name."""

_THREADS = 2
tf.config.threading.set_intra_op_parallelism_threads(_THREADS)
tf.config.threading.set_inter_op_parallelism_threads(_THREADS)


class Parameter(keras.layers.Layer):
    """What a written model.py defines for a tensor without a layer, so that its archive loads without its code."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape):
        """The tensor."""
        self.value = self.add_weight(name="value", shape=self.shape, initializer="zeros", dtype=self.dtype)
        super().build(input_shape)

    def call(self, inputs):
        """Its value, whatever goes in."""
        return keras.ops.convert_to_tensor(self.value)

    def compute_output_spec(self, inputs):
        """Its shape."""
        return keras.KerasTensor(self.shape, dtype=self.dtype)


def versions(arrays):
    """The versions of what runs here."""
    said = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }
    return said, {}


def _module(folder):
    """`model.py` of a folder, imported by file under a name of its own."""
    path = os.path.join(folder, "model.py")
    name = f"interlingua_model_{abs(hash((os.path.abspath(path), os.stat(path).st_mtime_ns)))}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load(path, format):
    gc.collect()  # models hold cycles: the weights of the last one go before new ones come
    keras.utils.set_random_seed(0)
    if format == "python":
        return _module(path).load()
    if format in ("keras", "keras-h5"):
        return keras.saving.load_model(path, custom_objects={REGISTERED: Parameter}, compile=False)
    raise ValueError(f"Expected the format keras, keras-h5 or python. Received {format!r}.")


def _structs(model):
    """The nested structures of a model's symbolic inputs and outputs; a Sequential keeps them in a model inside."""
    inner = getattr(model, "_functional", None) or model
    return inner._inputs_struct, inner._outputs_struct


def _input_names(model):
    """One name for each input, in the model's own order: the keys of a dictionary, else the names of the tensors."""
    struct, _ = _structs(model)
    if isinstance(struct, dict):
        return sorted(struct)
    return [tensor.name for tensor in model.inputs]


def _by_name(value, prefix=""):
    """The outputs of a call by name where it has names, dictionaries in the order of their keys."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _by_name(value[key], str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _by_name(item, prefix)
    else:
        yield prefix, value


def _output_names(model):
    names = []
    for key, tensor in _by_name(_structs(model)[1]):
        name = key or tensor._keras_history.operation.name
        taken = sum(1 for other in names if other == name or other.rsplit("_", 1)[0] == name)
        names.append(name if name not in names else f"{name}_{taken}")
    return names


def _fed(model, arrays):
    """The arrays in the structure the model is called with: by name, or in order where the names are others."""
    names = _input_names(model)
    if len(names) != len(arrays):
        raise ValueError(f"Expected {len(names)} inputs ({', '.join(names)}). Received {len(arrays)}.")
    ordered = [arrays[name] for name in names] if set(names) == set(arrays) else list(arrays.values())
    tensors = []
    for symbolic, array in zip(model.inputs, ordered, strict=True):
        tensors.append(keras.ops.convert_to_tensor(array, dtype=symbolic.dtype))
    return keras.tree.pack_sequence_as(_structs(model)[0], tensors)


def _numpy(value):
    return np.asarray(keras.ops.convert_to_numpy(value), order="C")


def run(arrays, *, path, format, inputs=None, outputs=None):
    """What the model computes at inference, its outputs in order."""
    model = _load(path, format)
    results = [value for _, value in _by_name(model(_fed(model, arrays), training=False))]
    names = outputs if outputs and len(outputs) == len(results) else _output_names(model)
    return names, dict(zip(names, map(_numpy, results), strict=True))


def _recorder(name, call, found, names):
    uses = []

    def recorded(*args, **kwargs):
        value = call(*args, **kwargs)
        uses.append(name)
        use = name if len(uses) == 1 else f"{name}#{len(uses)}"
        for index, tensor in enumerate(keras.tree.flatten(value)):
            key = use if index == 0 else f"{use}:{index}"
            if (names is None or key in names) and tf.is_tensor(tensor):
                found[key] = _numpy(tensor)
        return value

    return recorded


def _operations(model, prefix=""):
    for operation in model.operations if hasattr(model, "operations") else model.layers:
        yield prefix + operation.name, operation
        if isinstance(operation, keras.Model):
            yield from _operations(operation, f"{prefix}{operation.name}/")


def trace(arrays, *, path, format, names=None):
    """What each layer gives, by its name; those of inner models by `model/layer`, a second use as `layer#2`."""
    model = _load(path, format)
    found = {}
    for name, operation in list(_operations(model)):
        if not isinstance(operation, keras.layers.InputLayer):
            operation.call = _recorder(name, operation.call, found, names and set(names))
    model(_fed(model, arrays), training=False)
    return list(found), found


def _inference_graph(model):
    """The inference graph; freezing it would take twelve times the weights in memory and show the same operators."""
    tensors = [tf.TensorSpec(tensor.shape, tensor.dtype, name=f"input_{i}") for i, tensor in enumerate(model.inputs)]

    @tf.function
    def infer(*values):
        return model(keras.tree.pack_sequence_as(_structs(model)[0], list(values)), training=False)

    return infer.get_concrete_function(*tensors).graph.as_graph_def()


def _transposes(model):
    graph = _inference_graph(model)
    nodes = [node.op for node in graph.node]
    nodes += [node.op for function in graph.library.function for node in function.node_def]
    return sum(op == "Transpose" for op in nodes)


def materialise(arrays, *, folder, native, inputs, names=None):
    """Writes the native artifact of the `model.py` in `folder`, and counts the transposes of its inference graph.

    `names`, what layers and weights are called in the source, goes into a `.keras` archive as a member of its own.
    """
    suffix = {"keras": ".keras", "keras-h5": ".h5"}.get(native)
    if suffix is None:
        raise ValueError(f"Expected the native format keras or keras-h5. Received {native!r}.")
    model = _load(folder, "python")
    name = f"model{suffix}"
    path = os.path.join(folder, name)
    model.save(path)
    if native == "keras" and names:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(zipfile.ZipInfo(NAMES), json.dumps(names, sort_keys=True))
    return {"path": name, "files": [name], "transposes": _transposes(model)}, {}


def _resolve(api):
    found = keras
    for part in api.split(".")[1 if api.startswith("keras.") else 0 :]:
        found = getattr(found, part)
    return found


def _filled(value, arrays):
    """An argument with its tensors put in: the text `$name` stands for one."""
    if isinstance(value, str) and value.startswith("$"):
        return tf.constant(arrays[value[1:]])
    if isinstance(value, dict):
        return {name: _filled(item, arrays) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, arrays) for item in value]
    return value


def probe(arrays, *, api, args=(), kwargs=None, weights=None):
    """One call of an API by its full name.

    Strings "$name" in the arguments stand for arrays. A layer is constructed with `kwargs`, called on `args`, its
    variables set from `weights` (variable name -> array name, all of them), and called again; any other class is
    constructed with `kwargs`, but for the tensors among them, and called; a function is called with both.
    """
    keras.utils.set_random_seed(0)
    target = _resolve(api)
    given, named = _filled(list(args), arrays), _filled(dict(kwargs or {}), arrays)
    if isinstance(target, type) and issubclass(target, keras.layers.Layer):
        layer = target(**named)
        layer(*given)
        variables = {v.name: v for v in layer.weights}
        if set(variables) != set(weights or {}):
            raise ValueError(f"Expected weights for {sorted(variables)}. Received {sorted(weights or {})}.")
        for name, source in (weights or {}).items():
            variables[name].assign(arrays[source])
        value = layer(*given)
    elif isinstance(target, type):
        tensors = {name: value for name, value in named.items() if tf.is_tensor(value)}
        value = target(**{name: value for name, value in named.items() if name not in tensors})(*given, **tensors)
    else:
        value = target(*given, **named)
    found = {}
    for index, tensor in enumerate(keras.tree.flatten(value)):
        found["output" if index == 0 else f"output_{index}"] = _numpy(tensor)
    return list(found), found
