"""Runs, traces and saves Fluid models; loaded by file in a worker under Python 3.6 to 3.8."""

import importlib.util
import os
import platform
import shutil
import sys

import numpy as np

os.environ.setdefault("FLAGS_use_system_allocator", "1")  # Fluid's own never gives memory back

import paddle
import paddle.fluid as fluid
from paddle.fluid.core import VarDesc
from paddle.fluid.proto.framework_pb2 import ProgramDesc

NATIVES = {"fluid": None, "fluid-combined": "__params__"}
FOLDER = "inference_model"


def versions(arrays):
    """The versions of Python and of what runs here."""
    return {"python": platform.python_version(), "fluid": paddle.__version__, "numpy": np.__version__}, {}


def run(arrays, path, format, inputs=None, outputs=None, fetch=None, graph=None, weights=None):
    """Runs an artifact and returns its outputs in order.

    `inputs` and `fetch` are variables of a program; what it feeds and fetches itself stands in for them. `outputs`
    are the names under which the values go back. `graph` and `weights` are an artifact's files where they are not
    where `path` has them.
    """
    with _opened(path, format, graph, weights) as session:
        names = list(fetch or session.outputs)
        values = session.run(_feed(arrays, session, inputs), names)
    labels = outputs if outputs and len(outputs) == len(names) else names
    return list(labels), dict(zip(labels, values))  # noqa: B905


def trace(arrays, path, format, names=None, inputs=None, fetch=None, graph=None, weights=None):
    """Intermediate floating-point values: by variable where `fetch` speaks of variables, else by layer.

    Fluid names a layer's variables after it, `conv1.tmp_0`, `conv1.tmp_1`; the last one is the layer's output.
    """
    with _opened(path, format, graph, weights) as session:
        feed = _feed(arrays, session, inputs)
        there = session.intermediates(feed)
        keys = {(name if fetch else name.rpartition(".tmp_")[0] or name): name for name in there}
        wanted = {key: name for key, name in keys.items() if names is None or key in names}
        values = session.run(feed, list(wanted.values())) if wanted else []
    return list(wanted), dict(zip(wanted, values))  # noqa: B905


def materialise(arrays, folder, native, inputs):
    """Builds model.py's network and saves it as an inference model in `native`'s layout."""
    module = _module(folder)
    target = os.path.join(folder, FOLDER)
    shutil.rmtree(target, ignore_errors=True)
    model = module.load()
    model.save(target, params_filename=NATIVES[native])
    model.scope._remove_from_pool()
    files = [
        os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(target) for name in names
    ]
    program = _reproducible(os.path.join(target, "__model__"))
    transposes = sum(op.type in ("transpose", "transpose2") for block in program.blocks for op in block.ops)
    return {"path": FOLDER, "files": sorted(files), "transposes": transposes}, {}


def _reproducible(path):
    """The program of a file, rewritten without what depends on this machine: lines of source code, hash order."""
    program = ProgramDesc()
    with open(path, "rb") as file:
        program.ParseFromString(file.read())
    for block in program.blocks:
        block.vars.sort(key=lambda variable: variable.name)
        for op in block.ops:
            kept = sorted((a for a in op.attrs if a.name != "op_callstack"), key=lambda attribute: attribute.name)
            copies = [type(attribute).FromString(attribute.SerializeToString()) for attribute in kept]
            del op.attrs[:]
            op.attrs.extend(copies)
    with open(path, "wb") as file:
        file.write(program.SerializeToString(deterministic=True))
    return program


class Session:
    """A program ready to run in a scope of its own."""

    def __init__(self, program, inputs, outputs, executor, scope):
        self.program = program
        self.inputs = inputs
        self.outputs = outputs
        self.executor = executor
        self.scope = scope

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.executor.close()
        self.scope._remove_from_pool()  # Fluid keeps every scope, and so all weights, until the process ends

    def run(self, feed, names):
        """The values of `names`."""
        with fluid.scope_guard(self.scope):
            values = self.executor.run(self.program, feed=feed, fetch_list=list(names))
        return [np.array(value) for value in values]

    def intermediates(self, feed):
        """The floating-point variables that operators of the outermost block write, in their order."""
        block = self.program.global_block()
        found = []
        for op in block.ops:
            if op.type in ("feed", "fetch"):
                continue
            for name in op.output_arg_names:
                variable = block.vars.get(name)
                if variable is None or variable.persistable or variable.type != VarDesc.VarType.LOD_TENSOR:
                    continue
                floats = (VarDesc.VarType.FP32, VarDesc.VarType.FP64)
                if variable.dtype in floats and name not in feed and not _unwritten(op, name):
                    found.append(name)
        return list(dict.fromkeys(found))


# Outputs that an operator declares and does not write when it tests.
_DECLARED = {"XShape", "Mask", "SavedMean", "SavedVariance", "MidOut"}


def _unwritten(op, name):
    return any(name in op.output(slot) for slot in op.output_names if slot in _DECLARED)


def _opened(path, format, graph, weights):
    """The session of an artifact."""
    if format == "python":
        model = _module(path).load()
        names = [[v.name for v in variables] for variables in (model.inputs, model.outputs)]
        return Session(model.inference_program, names[0], names[1], model.executor, model.scope)
    scope, executor = fluid.Scope(), fluid.Executor(fluid.CPUPlace())
    graph = graph or _program_file(path)
    if weights is None and format == "fluid-combined":
        beside = [os.path.join(os.path.dirname(graph), "__params__"), os.path.splitext(graph)[0] + ".pdiparams"]
        weights = next((name for name in beside if os.path.isfile(name)), None)
    with open(graph, "rb") as file:
        program = fluid.Program.parse_from_string(file.read())
    folder, filename = os.path.split(weights) if weights and os.path.isfile(weights) else (weights, None)
    with fluid.scope_guard(scope):
        fluid.io.load_persistables(executor, folder or os.path.dirname(graph) or ".", program, filename)
    feeds, fetches = program.desc.get_feed_target_names(), program.desc.get_fetch_target_names()
    return Session(_bare(program), feeds, fetches, executor, scope)


def _bare(program):
    """The program without its feed and fetch operators, which fix what may be fed and fetched."""
    block = program.global_block()
    for index in reversed([i for i, op in enumerate(block.ops) if op.type in ("feed", "fetch")]):
        block._remove_op(index)
    program.desc.flush()
    return program


def _program_file(path):
    """The program's file that `path` speaks of: a folder, the file itself, or its prefix."""
    if os.path.isfile(path):
        return os.path.join(os.path.dirname(path), "__model__") if path.endswith("__params__") else path
    if os.path.isfile(path + ".pdmodel"):
        return path + ".pdmodel"
    named = os.path.join(path, "__model__")
    if os.path.isfile(named):
        return named
    return os.path.join(path, next(name for name in sorted(os.listdir(path)) if name.endswith(".pdmodel")))


def _feed(arrays, session, inputs):
    """The arrays by the program's input names; by order where the names are others."""
    names = list(inputs or session.inputs)
    if set(arrays) != set(names):
        if len(arrays) != len(names):
            raise ValueError("Expected the inputs {}. Received {}.".format(names, sorted(arrays)))
        arrays = dict(zip(names, arrays.values()))  # noqa: B905
    block = session.program.global_block()
    kinds = {name: fluid.data_feeder.convert_dtype(block.var(name).dtype) for name in names}
    return {name: np.ascontiguousarray(arrays[name], dtype=kinds[name]) for name in names}


def _module(folder):
    """model.py of `folder`, imported by file under a name of its own."""
    _module.count = getattr(_module, "count", 0) + 1
    name = "interlingua_model_{}".format(_module.count)
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def probe(arrays, api, args=(), kwargs=None, weights=None):
    """One API call by its dotted name; "$name" in the arguments stands for an array.

    A function builds a program of its own and makes its parameters, which `weights` (its argument for each to an
    array's name) sets. A layer of `fluid.dygraph` is built, given its weights by attribute, and called.
    """
    function = _dotted(api)
    kwargs, weights = kwargs or {}, weights or {}
    # Fluid has no tensors without axes: it crashes on them.
    arrays = {name: np.reshape(array, array.shape or (1,)) for name, array in arrays.items()}
    if isinstance(function, type):
        results = _probe_layer(function, arrays, args, kwargs, weights)
    else:
        results = _probe_function(function, arrays, args, kwargs, weights)
    return {}, {"output_{}".format(index): value for index, value in enumerate(results)}


def _dotted(api):
    value = paddle
    for part in api.split(".")[1:]:
        value = getattr(value, part)
    return value


def _filled(value, found):
    """The argument with arrays in place of their names."""
    if isinstance(value, (list, tuple)):
        return [_filled(item, found) for item in value]
    return found[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def _mentioned(value):
    if isinstance(value, (list, tuple)):
        return [name for item in value for name in _mentioned(item)]
    return [value[1:]] if isinstance(value, str) and value.startswith("$") else []


def _probe_function(function, arrays, args, kwargs, weights):
    main, startup, scope = fluid.Program(), fluid.Program(), fluid.Scope()
    main.random_seed = startup.random_seed = 1
    given = _mentioned([list(args), list(kwargs.values())])
    parameters = {argument: "parameter." + name for argument, name in weights.items()}
    with fluid.program_guard(main, startup), fluid.unique_name.guard():
        inputs = {name: fluid.data(name, arrays[name].shape, str(arrays[name].dtype)) for name in given}
        named = {name: _filled(value, inputs) for name, value in kwargs.items()}
        named.update(parameters)
        made = function(*_filled(list(args), inputs), **named)
    made = list(made) if isinstance(made, (list, tuple)) else [made]
    executor = fluid.Executor(fluid.CPUPlace())
    with fluid.scope_guard(scope):
        executor.run(startup)
        for argument, name in weights.items():
            tensor = scope.find_var(parameters[argument]).get_tensor()
            if list(tensor.shape()) != list(arrays[name].shape):
                raise ValueError("Expected {} of shape {}.".format(argument, list(tensor.shape())))
            tensor.set(np.ascontiguousarray(arrays[name]), fluid.CPUPlace())
        feed = {name: np.ascontiguousarray(arrays[name]) for name in given}
        return [np.asarray(v) for v in executor.run(main.clone(for_test=True), feed=feed, fetch_list=made)]


def _probe_layer(kind, arrays, args, kwargs, weights):
    # Leaving dygraph while an exception is on its way leaves the process in it: what was raised waits.
    raised = None
    fluid.enable_dygraph(fluid.CPUPlace())
    try:
        results = _call_layer(kind, arrays, args, kwargs, weights)
    except Exception as error:
        raised = error
    fluid.disable_dygraph()
    if raised is not None:
        raise raised
    return results


def _call_layer(kind, arrays, args, kwargs, weights):
    found = {name: fluid.dygraph.to_variable(np.ascontiguousarray(array)) for name, array in arrays.items()}
    layer = kind(**{name: _filled(value, found) for name, value in kwargs.items()})
    for attribute, name in weights.items():
        getattr(layer, attribute).set_value(np.ascontiguousarray(arrays[name]))
    layer.eval()
    made = layer(*_filled(list(args), found))
    return [value.numpy() for value in (made if isinstance(made, (list, tuple)) else [made])]
