"""Types that the IR has no word for (a map, a sequence of maps, opaque ones), kept in the metadata of their values."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from interlingua.ir.metadata import TYPE

_ELEMENTS = frozenset(int(each) for each in ir.DataType) - {int(ir.DataType.UNDEFINED)}


def has_word(kind: onnx.TypeProto) -> bool:
    """Whether the IR has a word for the type."""
    which = kind.WhichOneof("value")
    if which == "sequence_type":
        return kind.sequence_type.HasField("elem_type") and has_word(kind.sequence_type.elem_type)
    if which == "optional_type":
        return kind.optional_type.HasField("elem_type") and has_word(kind.optional_type.elem_type)
    return which not in ("map_type", "opaque_type")


def names_elements(kind: onnx.TypeProto) -> bool:
    """Whether the type says what the tensors inside it are made of; of a type that was inferred, half may be open."""
    which = kind.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        return bool(getattr(kind, which).elem_type in _ELEMENTS)
    if which in ("sequence_type", "optional_type"):
        return names_elements(getattr(kind, which).elem_type)
    if which == "map_type":
        return names_elements(kind.map_type.value_type)
    return bool(which == "opaque_type")


def type_of(value: ir.Value) -> onnx.TypeProto | None:
    """The value's type where the IR has no word for it; None where it has."""
    text = value.metadata_props.get(TYPE)
    return None if text is None else onnx.TypeProto.FromString(bytes.fromhex(text))


def keep(value: ir.Value, kind: onnx.TypeProto) -> None:
    """Records a type that the IR has no word for."""
    value.metadata_props[TYPE] = _text(kind)


def hide(info: onnx.ValueInfoProto) -> None:
    """Moves a type that the IR has no word for into the metadata, before the IR reads it."""
    if not has_word(info.type):
        info.metadata_props.add(key=TYPE, value=_text(info.type))
        info.ClearField("type")


def restore(graph: onnx.GraphProto) -> None:
    """Gives values the types back that stand in their metadata."""
    for info in (*graph.input, *graph.output, *graph.value_info):
        for index, each in enumerate(info.metadata_props):
            if each.key == TYPE:
                info.type.ParseFromString(bytes.fromhex(each.value))
                del info.metadata_props[index]
                break


def _text(kind: onnx.TypeProto) -> str:
    return bytes(kind.SerializeToString(deterministic=True)).hex()
