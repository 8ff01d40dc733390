"""Tables of which rows are looked up: each function's first sentence is the form."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, is_initializer
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.raising.masks import LARGEST
from interlingua.passes.raising.reading import attribute_int, maker, rank, sides


def padded(node: ir.Node) -> Piece | None:
    """`Embedding(I)`: `Gather(table · ones, I)` where one row is zeros and multiplied by zeros.

    So Paddle's exporter says an embedding with an index for padding, whose row is not trained.
    """
    product = maker(node.inputs[0], "Mul")
    if product is None or attribute_int(node, "axis", 0) != 0 or rank(product.outputs[0]) != 2:
        return None
    for table, ones in sides(product):
        kept = constant(ones, LARGEST) if metadata.is_constant(ones) else None
        if kept is None or not is_initializer(table) or table.const_value is None or metadata.is_constant(table):
            continue
        same = kept.shape == table.const_value.shape.numpy()
        rows: list[int] = np.flatnonzero((kept == 0).all(axis=-1)).tolist() if same else []
        if len(rows) != 1 or np.count_nonzero(kept == 1) != kept.size - kept.shape[-1]:
            continue
        row = rows[0]
        if not np.any(table.const_value.numpy()[row]) and closed([product, node]):
            return Piece([product, node], [node.inputs[1]], {"padding_idx": row}, {"weight": table})
    return None


FORMS = (Form("Embedding", frozenset({"Gather"}), padded),)
