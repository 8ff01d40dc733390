"""Modules of TorchScript: which of them each operator of a program stands in, though a program of a script is flat."""

import difflib
import io
import re

import torch

_PART = re.compile(r"([^.()]+)\(([^()]*)\)")
_OUTSIDE = ("SELF", "UNKNOWN_INSTANCE")
_TRACED = "__module."


def apart(script):
    """A copy of a script with code of its own: the converter inlines what it is given, for all scripts of the class."""
    held = io.BytesIO()
    torch.jit.save(script, held)
    held.seek(0)
    return torch.jit.load(held)


def tell_modules(program, script, told):
    """Tells each operator of an exported program the modules of the script that it comes from, by the order of both.

    `told` are the script's `operators`. One that the script does not have stands in the modules that those before and
    after it share.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    ours = [
        _called(str(getattr(node.target, "_schema", node.target)).partition(".")[0].partition("(")[0]) for node in nodes
    ]
    matcher = difflib.SequenceMatcher(None, [name for name, _ in told], ours, autojunk=False)
    found = [None] * len(nodes)
    for block in matcher.get_matching_blocks():
        for place in range(block.size):
            found[block.b + place] = told[block.a + place][1]
    classes = {path: _class(module) for path, module in script.named_modules()}
    for place, node in enumerate(nodes):
        parts = found[place]
        if parts is None:
            before = next((each for each in reversed(found[:place]) if each is not None), ())
            after = next((each for each in found[place:] if each is not None), ())
            parts = _shared(before, after)
        paths = ["", *(".".join(parts[: count + 1]) for count in range(len(parts)))]
        node.meta["nn_module_stack"] = {path: (path, classes.get(path, "")) for path in paths}


def operators(script):
    """The operators of a script in their order, each with the names of the modules around it, the outermost first.

    The converter to an exported program takes that out of the script, so it is asked before.
    """
    found = []

    def walk(block):
        for node in block.nodes():
            for inner in node.blocks():
                walk(inner)
            if node.kind().startswith("aten::"):
                found.append((_called(node.kind()), _modules(node)))

    graph = script.inlined_graph
    walk(graph)
    return found


def _modules(node):
    scope = node.scopeName()
    if scope:
        last = scope.rpartition("/")[2]
        return tuple(last[len(_TRACED) :].split(".")) if last.startswith(_TRACED) else ()
    names = []
    for name, _ in _PART.findall(node.getModuleHierarchy()):
        if name in _OUTSIDE:
            break
        names.append(name)
    return tuple(names)


def _called(kind):
    """The operator's name, alike in place and elsewhere; a trace has one convolution for all."""
    name = kind.rpartition("::")[2].rstrip("_")
    return "convolution" if re.fullmatch(r"_convolution|conv\dd", name) else name


def _shared(first, second):
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return tuple(first[:count])


def _class(module):
    return getattr(module, "original_name", type(module).__name__)
