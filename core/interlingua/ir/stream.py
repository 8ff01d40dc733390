"""Writes arrays piece by piece, so that a rearranged weight is never held as a copy of its whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import onnx_ir as ir

PIECE = 1 << 24


def pieces(array: np.ndarray[Any, Any], size: int = PIECE) -> Iterator[np.ndarray[Any, Any]]:
    """The array's elements in C order, as contiguous pieces of about `size` bytes."""
    if array.nbytes <= size or array.ndim == 0:
        yield np.ascontiguousarray(array)
        return
    row = max(array.nbytes // len(array), 1)
    if row > 2 * size:
        for part in array:
            yield from pieces(part, size)
        return
    step = max(size // row, 1)
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])


def write_array(stream: BinaryIO, array: np.ndarray[Any, Any]) -> None:
    """Writes the array's bytes, little-endian and in C order."""
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    for piece in pieces(array):
        stream.write(piece.reshape(-1).view(np.uint8).data)


def write_tensor(stream: BinaryIO, tensor: ir.TensorProtocol) -> None:
    """Writes a tensor's bytes as ONNX keeps them: types of less than a byte are packed."""
    if tensor.dtype.bitwidth < 8:
        stream.write(tensor.tobytes())
    else:
        write_array(stream, tensor.numpy())
