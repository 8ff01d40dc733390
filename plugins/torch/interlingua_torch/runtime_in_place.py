"""Calls that a program makes in place (`nn.ReLU(inplace=True)`), told to the nodes that the exporter makes of them."""

import ast

IN_PLACE = "interlingua.in_place"
_PREFIX = "pkg.torch.onnx."


def calls_in_place(program):
    """What the program calls in place alone: the module's path, the operator, the lines that lead there.

    The exporter makes every call one that leaves its input as it was, and gives it another name. A call that is made
    from one place both ways is left out.
    """
    ways = {}
    for node in program.graph.nodes:
        if node.op != "call_function" or not str(node.target).startswith("aten."):
            continue
        operator = str(node.target).split(".")[1]
        modules = list(node.meta.get("nn_module_stack", {}).values())
        key = (modules[-1][0] if modules else "", operator.removesuffix("_"), node.meta.get("stack_trace", "").strip())
        ways.setdefault(key, set()).add(operator.endswith("_"))
    return {key for key, said in ways.items() if said == {True}}


def tell_in_place(model, calls):
    """Marks the nodes of an exported model that stand for one of the calls."""
    if not calls:
        return
    for node in model.graph:
        said = node.metadata_props
        scopes = ast.literal_eval(said.get(_PREFIX + "name_scopes", "[]"))
        kinds = ast.literal_eval(said.get(_PREFIX + "class_hierarchy", "[]"))
        if len(scopes) < 2 or not kinds[-1].startswith("aten."):
            continue
        if (scopes[-2], kinds[-1].split(".")[1], said.get(_PREFIX + "stack_trace", "").strip()) in calls:
            said[IN_PLACE] = "1"
