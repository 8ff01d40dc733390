"""Weights on their way from the IR to a target: lazily rearranged, streamed into safetensors."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.axes import Rearrangement
from interlingua.errors import Refusal, Unsupported, UnsupportedModel
from interlingua.ir.metadata import origin
from interlingua.ir.origin import FUNCTIONS, Call, Origin, Parameter, shape_after, simplified
from interlingua.ir.stream import write_array

_DTYPES = {
    ir.DataType.FLOAT: "F32",
    ir.DataType.DOUBLE: "F64",
    ir.DataType.FLOAT16: "F16",
    ir.DataType.BFLOAT16: "BF16",
    ir.DataType.INT64: "I64",
    ir.DataType.INT32: "I32",
    ir.DataType.INT16: "I16",
    ir.DataType.INT8: "I8",
    ir.DataType.UINT64: "U64",
    ir.DataType.UINT32: "U32",
    ir.DataType.UINT16: "U16",
    ir.DataType.UINT8: "U8",
    ir.DataType.BOOL: "BOOL",
    ir.DataType.FLOAT8E4M3FN: "F8_E4M3",
    ir.DataType.FLOAT8E5M2: "F8_E5M2",
}
_UNKNOWN = "safetensors has no such type"

Step = tuple[str, tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Weight:
    """An initializer as a target keeps it: `steps` are functions of `interlingua.ir.origin` with their numbers
    (`("transpose", (1, 0))`), applied in order when the array is asked for."""

    value: ir.Value
    steps: tuple[Step, ...] = ()

    def is_named(self, key: str) -> bool:
        """Whether it is a parameter of the source, unchanged and called so: `layer1.conv.weight`."""
        said = self.origin
        return isinstance(said, Parameter) and said.name.rpartition(".")[2] == key

    def then(self, *steps: Step) -> Weight:
        """The weight with more steps."""
        return Weight(self.value, (*self.steps, *steps))

    def rearranged(self, rearrangement: Rearrangement) -> Weight:
        """The weight in another axis order."""
        steps: list[Step] = []
        if rearrangement.split is not None:
            steps.append(("reshape", rearrangement.split))
        if rearrangement.permutation is not None:
            steps.append(("transpose", rearrangement.permutation))
        if rearrangement.merge is not None:
            steps.append(("reshape", rearrangement.merge))
        return self.then(*steps)

    @property
    def tensor(self) -> ir.TensorProtocol:
        """The initializer's tensor."""
        if self.value.const_value is None:
            raise Unsupported(f"{self.value.name} is no constant")
        return self.value.const_value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape after the steps."""
        shape = tuple(int(dim) for dim in self.tensor.shape.numpy())
        for function, argument in self.steps:
            shape = shape_after(function, [shape], argument)
        return shape

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    def view(self) -> np.ndarray[Any, Any]:
        """The values; where the steps only turn axes, a view of what is mapped from disk."""
        array = self.tensor.numpy()
        for function, argument in self.steps:
            array = FUNCTIONS[function](array, *argument)
        return array

    def array(self) -> np.ndarray[Any, Any]:
        """The values, in C order; a memory-mapped weight is read only now."""
        return np.ascontiguousarray(self.view())

    @property
    def origin(self) -> Origin:
        """What it is, as an expression over the source's parameters."""
        expression = origin(self.value)
        for function, argument in self.steps:
            expression = simplified(Call(function, (expression,), argument))
        return expression


def write_safetensors(path: Path, weights: Mapping[str, Weight], metadata: Mapping[str, str]) -> None:
    """Streams weights into a safetensors file, one in memory at a time.

    The format is that of the safetensors README: eight bytes of header length, a JSON header, the data. (The
    library's own writer wants every tensor in memory at once.)

    Raises:
        UnsupportedModel: weights have a type that safetensors does not know, all of them named.
    """
    foreign = [(name, weight.tensor.dtype) for name, weight in sorted(weights.items())]
    refusals = [Refusal(str(dtype), name, _UNKNOWN) for name, dtype in foreign if dtype not in _DTYPES]
    if refusals:
        raise UnsupportedModel("Expected weights that safetensors holds. Received others:", refusals)
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    offset = 0
    for name, weight in sorted(weights.items()):
        dtype = weight.tensor.dtype
        length = int(weight.size * dtype.itemsize)
        header[name] = {
            "dtype": _DTYPES[dtype],
            "shape": list(weight.shape),
            "data_offsets": [offset, offset + length],
        }
        offset += length
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for _, weight in sorted(weights.items()):
            write_array(file, weight.view())


NAMES = "interlingua.names"
"""Key of the safetensors metadata (and of sidecar files) that maps the target's names to the source's, as JSON."""
