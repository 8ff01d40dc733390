"""One API call by its dotted name, for the evidence of API differences; runs under TensorFlow 1.15 and 2."""

import importlib
import inspect

import numpy as np
import tensorflow


def _dotted(name):
    parts = name.split(".")
    value = tensorflow if parts[0] == "tf" else importlib.import_module(parts[0])
    for part in parts[1:]:
        value = getattr(value, part)
    return value


def _filled(value, tensors):
    """An argument with its arrays put in: `$name` stands for one, `tf.…` for what that names."""
    if isinstance(value, list):
        return [_filled(item, tensors) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return tensors[value[1:]]
    if isinstance(value, str) and value.startswith("tf."):
        return _dotted(value)
    return value


def call(arrays, api, args, kwargs, weights, settings):
    """Calls a function on `args`, with `weights` (parameter to array name) and `kwargs`; `settings` are a session's."""
    function = _dotted(api)
    if tensorflow.__version__.startswith("1."):
        with tensorflow.Graph().as_default(), tensorflow.compat.v1.Session(config=settings) as session:
            tensors = {name: tensorflow.constant(array) for name, array in arrays.items()}
            result = _leaves(_apply(function, tensors, args, weights, kwargs))
            session.run(tensorflow.compat.v1.global_variables_initializer())
            return [np.asarray(value) for value in session.run(result)]
    tensorflow.random.set_seed(0)
    tensors = {name: tensorflow.convert_to_tensor(array) for name, array in arrays.items()}
    return [np.asarray(value) for value in _leaves(_apply(function, tensors, args, weights, kwargs))]


def _apply(function, tensors, args, weights, kwargs):
    named = {theirs: tensors[name] for theirs, name in weights.items()}
    named.update({name: _filled(value, tensors) for name, value in kwargs.items()})
    positional = _filled(args, tensors)
    if next(iter(inspect.signature(function).parameters), "") == "_sentinel":
        positional = [None, *positional]  # TensorFlow 1 puts a stop before what must be named
    return function(*positional, **named)


def _leaves(result):
    if isinstance(result, dict):
        return list(result.values())
    if isinstance(result, (list, tuple)):
        return [leaf for item in result for leaf in _leaves(item)]
    return [result]
