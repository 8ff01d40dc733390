"""Measures, in a worker, the signatures of APIs and what they declare.

It is loaded by file under any Python from 3.7 on and imports nothing of ours.
"""

import importlib
import inspect
import os

SHORT = {"tf": "tensorflow"}
PLAIN = (type(None), bool, int, float, str)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def versions(arrays):
    """The versions of nothing: the runtime's own script says them."""
    return {}, {}


def signatures(arrays, apis):
    """For each dotted name its parameters and their defaults as code (None: required); None where none is told."""
    return {api: _signature(api) for api in apis}, {}


def declare(arrays, api, arguments):
    """Declares an input by the API and tells the shape it then has, None for an unknown axis."""
    module = importlib.import_module(SHORT.get(api.split(".")[0], api.split(".")[0]))
    if hasattr(module, "enable_static"):
        module.enable_static()
    named = {name: _constant(value) for name, value in arguments.items()}
    shape = list(_resolve(api)(**named).shape)
    sizes = [getattr(size, "value", size) for size in shape]
    return [None if size is None or size < 0 else int(size) for size in sizes], {}


def _constant(value):
    return _resolve(value) if isinstance(value, str) and value.split(".")[0] in SHORT else value


def _signature(api):
    if "." not in api:
        return _operator(api)
    try:
        found = inspect.signature(_resolve(api))
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return [[_name(p), _default(p)] for p in found.parameters.values() if p.name != "self"]


def _resolve(api):
    parts = api.split(".")
    parts[0] = SHORT.get(parts[0], parts[0])
    value = importlib.import_module(parts[0])
    for count, part in enumerate(parts[1:], 2):
        if not hasattr(value, part):
            importlib.import_module(".".join(parts[:count]))
        value = getattr(value, part)
    return value


def _name(parameter):
    return {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name


def _default(parameter):
    if parameter.default is parameter.empty:
        return None if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) else ""
    value = parameter.default
    plain = isinstance(value, PLAIN) or (isinstance(value, (tuple, list)) and all(isinstance(v, PLAIN) for v in value))
    return repr(value) if plain else "<{}>".format(getattr(value, "name", type(value).__name__))


def _operator(api):
    """An ONNX operator's inputs, then its attributes."""
    try:
        import onnx
    except ImportError:
        return None
    if not onnx.defs.has(api):
        return None
    schema = onnx.defs.get_schema(api)
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    inputs = [[each.name, "None" if each.option == optional else None] for each in schema.inputs]
    return inputs + [[name, _attribute(each)] for name, each in sorted(schema.attributes.items())]


def _attribute(attribute):
    import onnx

    if attribute.default_value.type:
        value = onnx.helper.get_attribute_value(attribute.default_value)
        value = float(f"{value:.7g}") if isinstance(value, float) else value
        return repr(value.decode() if isinstance(value, bytes) else value)
    return None if attribute.required else "None"
