"""LoDTensor streams: the weights of Paddle and Fluid, one tensor a file or all in one file.

Fluid's variable files and `__params__`, Paddle's `.pdiparams` are the same stream. A tensor is: u32 version 0;
u64 number of LoD levels, each u64 length and that many bytes; u32 version 0; i32 length of a descriptor message
(field 1 the element type, field 2 the shape); the elements, little-endian, row-major. No names: the program tells them.
"""

from __future__ import annotations

import dataclasses
import math
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from interlingua.errors import InvalidSource
from interlingua.formats import wire

DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype(np.bool_),
    1: np.dtype("<i2"),
    2: np.dtype("<i4"),
    3: np.dtype("<i8"),
    4: np.dtype("<f2"),
    5: np.dtype("<f4"),
    6: np.dtype("<f8"),
    19: np.dtype("<u8"),
    20: np.dtype("u1"),
    21: np.dtype("i1"),
    22: np.dtype(ml_dtypes.bfloat16),
    23: np.dtype("<c8"),
    24: np.dtype("<c16"),
}
"""VarType.Type of framework.proto, for the types a tensor can have."""

_DESCRIPTOR = {1: wire.Field("data_type", "int"), 2: wire.Field("dims", "int", repeated=True)}
_LONGEST_DESCRIPTOR = 4096
_MOST_LEVELS = 64


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """One tensor of a stream: where its elements lie. `name` is empty where the caller gave none."""

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    nbytes: int

    def array(self) -> np.ndarray[Any, Any]:
        """The elements, read-only and memory-mapped: nothing is read until they are used."""
        if self.nbytes == 0:
            return np.empty(self.shape, self.dtype)
        mapped: np.ndarray[Any, Any] = np.memmap(self.path, np.uint8, "r", self.offset, (self.nbytes,))
        return np.asarray(mapped).view(self.dtype).reshape(self.shape)


def read_stream(path: Path, names: Sequence[str] | None = None, count: int | None = None) -> list[StoredTensor]:
    """The tensors of a stream in their order; `names` or `count` says how many there must be, else all are read.

    Every size is checked against the file before anything is allocated.

    Raises:
        InvalidSource: the file is missing, truncated, no such stream, or holds another number of tensors.
    """
    expected = len(names) if names is not None else count
    if not path.is_file():
        raise InvalidSource(f"Expected a file of weights. Received {str(path)!r}, which is not a file.")
    size = path.stat().st_size
    if size == 0:
        if expected:
            raise InvalidSource(f"Expected {expected} tensors. Received an empty file.", place=str(path))
        return []
    tensors: list[StoredTensor] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        position = 0
        while position < size and (expected is None or len(tensors) < expected):
            name = names[len(tensors)] if names is not None else ""
            place = f"{path}, tensor {len(tensors)}" + (f" ({name})" if name else "")
            tensor = _read_one(mapped, position, size, name, path, place)
            tensors.append(tensor)
            position = tensor.offset + tensor.nbytes
    if expected is not None and len(tensors) < expected:
        raise InvalidSource(f"Expected {expected} tensors. Received {len(tensors)}.", place=str(path))
    if position < size:
        raise InvalidSource(
            f"Expected {expected} tensors and no more. Received {size - position} bytes after them.", place=str(path)
        )
    return tensors


def _read_one(mapped: mmap.mmap, start: int, size: int, name: str, path: Path, place: str) -> StoredTensor:
    """The tensor that starts at `start`."""
    position = start

    def take(form: str) -> int:
        nonlocal position
        length = struct.calcsize(form)
        if position + length > size:
            raise InvalidSource("Expected a whole tensor. Received a file that ends inside its header.", place=place)
        (value,) = struct.unpack_from(form, mapped, position)
        position += length
        return int(value)

    version = take("<I")
    if version != 0:
        raise InvalidSource(f"Expected a tensor stream of version 0. Received {version}.", place=place)
    levels = take("<Q")
    if levels > _MOST_LEVELS:
        raise InvalidSource(f"Expected at most {_MOST_LEVELS} LoD levels. Received {levels}.", place=place)
    for _ in range(levels):
        skipped = take("<Q")
        position += skipped
    version = take("<I")
    if version != 0:
        raise InvalidSource(f"Expected a tensor of version 0. Received {version}.", place=place)
    length = take("<i")
    if not 0 < length <= min(_LONGEST_DESCRIPTOR, size - position):
        raise InvalidSource(f"Expected a tensor descriptor. Received one of {length} bytes.", place=place)
    try:
        descriptor = wire.decode(mapped[position : position + length], _DESCRIPTOR)
    except InvalidSource as error:
        raise InvalidSource(error.message, place=place) from None
    position += length
    dtype = DTYPES.get(descriptor.get("data_type", -1))
    if dtype is None:
        raise InvalidSource(f"Expected an element type. Received number {descriptor.get('data_type')}.", place=place)
    shape = tuple(descriptor["dims"])
    if len(shape) > 32 or any(axis < 0 for axis in shape):
        raise InvalidSource(f"Expected a shape. Received {list(shape)}.", place=place)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > size - position:
        raise InvalidSource(
            f"Expected {nbytes} bytes for a {dtype} tensor of shape {list(shape)}. Received {size - position}.",
            place=place,
        )
    return StoredTensor(name, path, shape, dtype, position, nbytes)
