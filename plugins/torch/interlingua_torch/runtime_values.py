"""Arrays and tensors, trees of them and back: what the other runtime files share. Runs in a worker or beside a module.

A tree says how flat values nest, in JSON: {"leaf": name}, {"tuple": [trees]}, {"list": [trees]}, {"dict": {key: tree}},
{"none": true}, {"constant": value}. A leaf of complex numbers says so with "complex": it travels as real pairs.
"""

import collections

import numpy as np
import torch
from torch.utils import _pytree

TAG = "interlingua"
PLAIN = {bool: torch.bool, int: torch.int64, float: torch.float32}


class Problem(Exception):
    """Something the user can mend: the class of the error that the frontend raises, its message and its hint."""

    def __init__(self, message, kind="InvalidSource", hint=""):
        super().__init__(message)
        self.told = {"problem": message, "kind": kind, "hint": hint}


def one_line(error):
    """The class and the first telling line of an error, of what caused it where that is known."""
    text = str(error.__cause__ or error).strip() or repr(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "%s: %s" % (type(error.__cause__ or error).__name__, lines[0][:300])


def to_tensor(array, is_complex=False):
    """The tensor of an array of its own; the types that numpy lacks come as whole numbers with a tag."""
    dtype = array.dtype
    tag = (dtype.metadata or {}).get(TAG, "") or (dtype.name if dtype.isbuiltin == 2 else "")
    if tag:
        width = np.dtype("i%d" % dtype.itemsize)
        tensor = torch.from_numpy(np.array(array).view(width)).view(getattr(torch, tag))
    else:
        tensor = torch.from_numpy(np.array(array))
    return torch.view_as_complex(tensor.contiguous()) if is_complex else tensor


def to_array(value):
    """The array of a tensor or number, exact; complex numbers as real pairs, types that numpy lacks tagged."""
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=PLAIN.get(type(value)))
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    if tensor.is_neg():
        tensor = tensor.resolve_neg()
    name = str(tensor.dtype).partition(".")[2]
    if name == "bfloat16" or name.startswith("float8"):
        width = "u%d" % tensor.element_size()
        whole = tensor.contiguous().view(torch.int16 if width == "u2" else torch.uint8).numpy()
        return whole.view(np.dtype(width, metadata={TAG: name}))
    return tensor.numpy()


def tree(value, leaf, path=""):
    """The tree of a nested value; `leaf(value, path)` says the row of a tensor or number, paths join with "."."""

    def below(key):
        return "%s.%s" % (path, key) if path else str(key)

    if value is None:
        return {"none": True}
    if isinstance(value, dict):
        return {"dict": {str(key): tree(item, leaf, below(key)) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [tree(item, leaf, below(i)) for i, item in enumerate(value)]}
    if isinstance(value, list):
        return {"list": [tree(item, leaf, below(i)) for i, item in enumerate(value)]}
    node = _pytree.SUPPORTED_NODES.get(type(value))
    if node is not None:
        children, context = node.flatten_fn(value)
        return _registered(list(children), context, leaf, path)
    return leaf(value, path)


def _registered(children, context, leaf, path):
    """A class that tells PyTorch how it flattens: by its field names where it tells them, else a list."""
    names = context[0] if context and isinstance(context[0], (list, tuple)) else context
    told = isinstance(names, (list, tuple)) and len(names) == len(children)
    if told and all(isinstance(name, str) for name in names):
        return tree(dict(zip(names, children, strict=True)), leaf, path)
    return tree(children, leaf, path)


def spec_tree(spec, rows):
    """The tree of a flattened value: `rows` gives the row of each leaf in order."""
    if spec.is_leaf():
        return next(rows)
    children = [spec_tree(child, rows) for child in spec.children()]
    keys = spec.context[0] if spec.context and isinstance(spec.context[0], (list, tuple)) else spec.context
    if spec.type in (tuple, collections.namedtuple) or (isinstance(spec.type, type) and issubclass(spec.type, tuple)):
        return {"tuple": children}
    if isinstance(keys, (list, tuple)) and len(keys) == len(children) and all(isinstance(key, str) for key in keys):
        return {"dict": dict(zip(keys, children, strict=True))}
    return {"list": children}


def nested(told, values):
    """The value that a tree describes; `values` holds those of its leaves by name."""
    if "leaf" in told:
        return values[told["leaf"]]
    if "dict" in told:
        return {key: nested(item, values) for key, item in told["dict"].items()}
    if "tuple" in told:
        return tuple(nested(item, values) for item in told["tuple"])
    if "list" in told:
        return [nested(item, values) for item in told["list"]]
    return told.get("constant")


def leaves(told):
    """The leaf rows of a tree, in order."""
    if "leaf" in told:
        return [told]
    below = told["dict"].values() if "dict" in told else told.get("tuple", told.get("list", ()))
    return [row for item in below for row in leaves(item)]


def results(told):
    """The rows of what is not None in a tree, tensors and constants, in order."""
    if "leaf" in told or "constant" in told:
        return [told]
    below = told["dict"].values() if "dict" in told else told.get("tuple", told.get("list", ()))
    return [row for item in below for row in results(item)]


def flat(outputs):
    """The tensors and numbers of a nested result in order, without what is None."""
    return [value for value in _pytree.tree_leaves(outputs) if value is not None]


def tensors_of(call, arrays):
    """The tensors of the leaves of a call's trees, by name; arrays fit by name, else by their order."""
    rows = [row for item in (*call["args"], *call["kwargs"].values()) for row in leaves(item)]
    known = {row["leaf"] for row in rows}
    named = (
        dict(arrays)
        if known <= set(arrays)
        else dict(zip((row["leaf"] for row in rows), arrays.values(), strict=False))
    )
    return {row["leaf"]: to_tensor(named[row["leaf"]], row.get("complex", False)) for row in rows}


def arguments(call, values):
    """Positional and keyword arguments of a call told as {"args": trees, "kwargs": trees by name}."""
    args = tuple(nested(item, values) for item in call["args"])
    return args, {name: nested(item, values) for name, item in call["kwargs"].items()}
