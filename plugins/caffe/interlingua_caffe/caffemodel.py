"""Writes `.caffemodel`: a serialised `NetParameter`, streamed, one blob in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from interlingua.errors import UnsupportedModel
from interlingua_caffe.lowering.network import Learned
from interlingua_caffe.proto import Message, message
from interlingua_caffe.proto.wire import blob_head, prefix

_LAYER, _BLOBS = 100, 7
_WIDTH = 4
_LARGEST = (1 << 31) - 1
"""Protocol buffers, and with them Caffe, read no message of more bytes."""


def _sizes(blob: Learned) -> tuple[bytes, int]:
    """What stands before a blob's numbers, and their length."""
    length = math.prod(blob.shape) * _WIDTH
    return blob_head(blob.shape, length), length


def _write_layer(file: IO[bytes], head: bytes, blobs: Sequence[Learned]) -> None:
    sized = [(blob, *_sizes(blob)) for blob in blobs]
    rows = [(blob, prefix(_BLOBS, len(start) + length) + start, length) for blob, start, length in sized]
    file.write(prefix(_LAYER, len(head) + sum(len(start) + length for _, start, length in rows)))
    file.write(head)
    for blob, start, _ in rows:
        file.write(start)
        file.write(blob.array().data)


def check_size(learned: Mapping[str, Sequence[Learned]]) -> None:
    """Compares the size of all blobs with what Caffe reads.

    Raises:
        UnsupportedModel: it is more.
    """
    total = sum(math.prod(blob.shape) * _WIDTH for blobs in learned.values() for blob in blobs)
    if total > _LARGEST:
        raise UnsupportedModel(f"Expected at most {_LARGEST} bytes of weights, as Caffe reads them. Received {total}.")


def write_caffemodel(path: Path, net: Message, learned: Mapping[str, Sequence[Learned]]) -> None:
    """Writes the network with its blobs, which `learned` holds by layer name."""
    header = message("NetParameter")
    header.name = net.name
    with path.open("wb") as file:
        file.write(header.SerializeToString())
        for layer in net.layer:
            _write_layer(file, layer.SerializeToString(), learned.get(layer.name, ()))
