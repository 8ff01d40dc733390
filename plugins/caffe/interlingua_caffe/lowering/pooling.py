"""Pooling whose windows reach beyond the image at its end only, which Caffe does when it rounds sizes up."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua import cards
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.notes import Changed
from interlingua_caffe.cards.pooling import windows
from interlingua_caffe.lowering.network import FRAMEWORK, Learned, Network, lowers, selecting


def _rounded(facts: Facts) -> Facts | None:
    """The same windows with the padding of the begin at both ends, where rounding up or down gives as many; or None."""
    begin, _ = split_pads(facts["pads"])
    before, after = facts.shapes.get("X"), facts.shapes.get("Y")
    if before is None or after is None or len(before) != 4:
        return None
    axes = list(zip(before[2:], facts["kernel_shape"], facts["strides"], begin, after[2:], strict=True))
    for up in (False, True):
        counts = [
            windows(size, kernel, stride, pad, up=up) for size, kernel, stride, pad, _ in axes if isinstance(size, int)
        ]
        if counts == [count for *_, count in axes]:
            return dataclasses.replace(facts, values={**facts.values, "pads": begin * 2, "ceil_mode": int(up)})
    return None


def _divisors(size: int, kernel: int, stride: int, pad: int, count: int) -> NDArray[np.float64]:
    """For each window along an axis: by what Caffe divides, over what lies inside the image."""
    start = np.arange(count) * stride - pad
    whole = np.minimum(start + kernel, size + pad) - start
    inside = np.minimum(start + kernel, size) - np.maximum(start, 0)
    ratio: NDArray[np.float64] = whole / inside
    return ratio


def _inside_only(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says a mean over what lies inside the image by a mean that counts padding and a factor for each place."""
    counted = dataclasses.replace(facts, values={**facts.values, "count_include_pad": 1})
    card, said = cards.choose(FRAMEWORK, counted)
    before, after = facts.shapes.get("X"), facts.shapes.get("Y")
    if before is None or after is None or not all(isinstance(size, int) for size in (*before[2:], *after[2:])):
        raise Unsupported("a mean without its padding, for an image whose size is not known")
    begin, _ = split_pads(facts["pads"])
    rows = zip(before[2:], facts["kernel_shape"], facts["strides"], begin, after[2:], strict=True)
    down, across = (_divisors(*(int(number) for number in row)) for row in rows)  # type: ignore[arg-type]
    factor = np.outer(down, across).astype(np.float32)
    mean = ir.Value(name=f"{node.name}.counted")
    network.notes.add(
        Changed(str(metadata.place(node)), "padding does not count in the mean: said as a factor after it")
    )
    network.for_node(node, card.api, selecting(card) | said, inputs=[node.inputs[0]], output=mean)
    network.for_node(
        node, "Scale", {"scale_param.axis": 2, "scale_param.num_axes": 2}, [Learned(factor)], inputs=[mean]
    )


@lowers("MaxPool", "AveragePool")
def pooling(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says padding at the end only by a size that is rounded up: the last window reaches beyond the image."""
    begin, end = split_pads(facts["pads"])
    mean_inside = facts.record == "AveragePool" and not facts["count_include_pad"]
    if begin == end:
        if mean_inside and any(begin) and facts.rank == 2:
            _inside_only(network, node, facts)
        else:
            network.by_card(node, facts)
        return
    rounded = _rounded(facts)
    if rounded is None or not (facts.record == "MaxPool" or (mean_inside and not any(begin))):
        raise Unsupported(f"pads {facts['pads']} differ at the two ends of an axis")
    network.by_card(node, rounded)
