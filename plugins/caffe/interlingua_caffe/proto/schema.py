"""Compiles `schema.txt` to protobuf descriptors, so that protobuf itself parses and prints.

Sources of the names, numbers, types and defaults: the `caffe.proto` of BVLC Caffe, of its SSD branch, and of the
forks whose layers appear in published networks.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "caffe"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "double": _FIELD.TYPE_DOUBLE,
    "float": _FIELD.TYPE_FLOAT,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "string": _FIELD.TYPE_STRING,
    "uint32": _FIELD.TYPE_UINT32,
}
_LABELS = {"": _FIELD.LABEL_OPTIONAL, "*": _FIELD.LABEL_REPEATED, "!": _FIELD.LABEL_REQUIRED}

Message: TypeAlias = Any
"""A protobuf message of this schema: its class exists at run time alone, so no type checker knows its fields."""


def _add_enum(container: Any, name: str, values: list[str]) -> None:
    enum = container.enum_type.add(name=name)
    for value in values:
        label, _, number = value.partition("=")
        enum.value.add(name=label, number=int(number))


def _add_field(container: Any, line: str, enums: set[str]) -> None:
    declaration, _, default = line.partition("=")
    name, number, kind, *options = declaration.split()
    mark = kind[-1] if kind[-1] in "*!" else ""
    kind = kind.rstrip("*!")
    field = container.field.add(name=name, number=int(number), label=_LABELS[mark])
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _FIELD.TYPE_ENUM if kind in enums else _FIELD.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    if default:
        field.default_value = default
    if "packed" in options:
        field.options.packed = True


def _file() -> descriptor_pb2.FileDescriptorProto:
    lines = files(__package__).joinpath("schema.txt").read_text(encoding="utf-8").splitlines()
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package=PACKAGE, syntax="proto2")
    enums = {line.split()[1].rstrip(":"): line.split()[2:] for line in lines if line.startswith("enum ")}
    for line in lines:
        if line.startswith("message "):
            file.message_type.add(name=line.split()[1])
        elif line.startswith("  "):
            _add_field(file.message_type[-1], line, set(enums))
    containers = {container.name: container for container in file.message_type}
    for name, values in enums.items():
        owner, _, inner = name.rpartition(".")
        _add_enum(containers[owner] if owner else file, inner, values)
    return file


@functools.cache
def messages() -> dict[str, Any]:
    """Every message class by name."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    found = pool.FindFileByName("caffe.proto").message_types_by_name
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def message(name: str) -> Message:
    """A new, empty message of that name."""
    return messages()[name]()
