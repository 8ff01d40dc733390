"""Records what a generated model computes, statement by statement, by the variable each statement uses."""

import ast
import inspect
import sys
import textwrap

import numpy as np


def recorded(call, names=None):
    """The value of every statement of a model's `__call__` that uses a variable of the model, by that variable's name.

    The statement after it, where it uses none (an activation), goes by the same name.
    """
    values, watched = {}, {}

    def local(frame, event, argument):
        known, lines = watched[id(frame)]
        if event == "return":
            _keep(values, lines, known["line"], argument, names)
            return local
        for name, value in frame.f_locals.items():
            if known["seen"].get(name) is not value:
                if name != "self" and known["line"]:
                    _keep(values, lines, known["line"], value, names)
                known["seen"][name] = value
        known["line"] = frame.f_lineno
        return local

    def enter(frame, event, argument):
        if event != "call" or frame.f_code.co_name != "__call__" or "model.py" not in frame.f_code.co_filename:
            return None
        watched[id(frame)] = ({"seen": dict(frame.f_locals), "line": 0}, _variables_by_line(frame.f_code))
        return local

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return values


def _keep(values, lines, line, value, names):
    name = lines.get(line)
    if name is None or (names is not None and name not in names):
        return
    try:
        values[name] = np.asarray(value)
    except (TypeError, ValueError):
        return


def _variables_by_line(code):
    """For each line of a method, the variable (`self.x`) that its statement uses."""
    source, first = inspect.getsourcelines(code)
    tree = ast.parse(textwrap.dedent("".join(source)))
    found = {}
    for statement in tree.body[0].body:
        used = [
            node.attr
            for node in ast.walk(statement)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
        ]
        if used:
            for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
                found[line + first - 1] = used[-1]
    return found
