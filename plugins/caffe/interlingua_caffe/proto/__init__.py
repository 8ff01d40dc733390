"""Caffe's protocol buffers: the schema as data, compiled to message classes when first used."""

from interlingua_caffe.proto.schema import Message, message, messages

__all__ = ["Message", "message", "messages"]
