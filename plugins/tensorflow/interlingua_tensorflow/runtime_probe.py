"""One API call by its dotted name, for the evidence of API differences; runs under TensorFlow 1.15 and 2."""

import importlib

import numpy as np
import tensorflow


def _dotted(name):
    parts = name.split(".")
    value = tensorflow if parts[0] == "tf" else importlib.import_module(parts[0])
    for part in parts[1:]:
        value = getattr(value, part)
    return value


def _plain(value):
    if isinstance(value, str) and value.startswith("tf."):
        return _dotted(value)
    return value


def call(arrays, api, args, kwargs, weights):
    """Calls a function on the arrays named in `args`, with `weights` (parameter to array name) and `kwargs`."""
    function = _dotted(api)
    said = {name: _plain(value) for name, value in kwargs.items()}
    if tensorflow.__version__.startswith("1."):
        with tensorflow.Graph().as_default(), tensorflow.compat.v1.Session() as session:
            tensors = {name: tensorflow.constant(array) for name, array in arrays.items()}
            result = _leaves(_apply(function, tensors, args, weights, said))
            session.run(tensorflow.compat.v1.global_variables_initializer())
            return [np.asarray(value) for value in session.run(result)]
    tensorflow.random.set_seed(0)
    tensors = {name: tensorflow.convert_to_tensor(array) for name, array in arrays.items()}
    return [np.asarray(value) for value in _leaves(_apply(function, tensors, args, weights, said))]


def _apply(function, tensors, args, weights, said):
    tensors = {**tensors, **{"$" + name: tensor for name, tensor in tensors.items()}}
    positional = [
        [tensors[name] for name in item] if isinstance(item, list) else tensors[item] if item in tensors else item
        for item in args
    ]
    named = {theirs: tensors[name] for theirs, name in weights.items()}
    said = {name: tensors[value] if isinstance(value, str) and value in tensors else value for name, value in said.items()}
    named.update(said)
    return function(*positional, **named)


def _leaves(result):
    if isinstance(result, dict):
        return list(result.values())
    if isinstance(result, (list, tuple)):
        return [leaf for item in result for leaf in _leaves(item)]
    return [result]
