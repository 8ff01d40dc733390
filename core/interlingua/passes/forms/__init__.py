"""Forms: pieces of a graph that one call of a target says, as nodes of a domain of ours; one family a file.

ONNX has no operator for them. A form is made for a target that says it, in the copy that is written for that target;
the canonical form of the IR and all other targets have its pieces. Its function body is those pieces.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import onnx_ir as ir

from interlingua.ir.facts import qualified
from interlingua.passes.forms import contractions, joined, moves, multihead, rotary, single, tables
from interlingua.passes.forms.outline import FORMS, Form, outline

ATTENTION: tuple[Form, ...] = (*multihead.FORMS, *rotary.FORMS, *single.FORMS)
OTHERS: tuple[Form, ...] = (*moves.FORMS, *tables.FORMS, *contractions.FORMS, *joined.FORMS)
ALL = (*ATTENTION, *OTHERS)
"""In the order they are tried."""


def to_forms(model: ir.Model, able: Container[str], forms: Sequence[Form] = ALL) -> int:
    """Replaces pieces of the graph by those of the forms whose qualified names are among `able`; says how many.

    The last nodes come first, so that a form of several steps takes all of them."""
    count = 0
    for form in forms:
        if f"{FORMS}::{form.name}" not in able:
            continue
        for node in reversed(list(model.graph.all_nodes())):
            if node.graph is None or qualified(node) not in form.roots:
                continue
            piece = form.find(node)
            if piece is not None:
                outline(model, form.name, piece)
                count += 1
    return count


__all__ = ["ALL", "ATTENTION", "FORMS", "OTHERS", "Form", "to_forms"]
