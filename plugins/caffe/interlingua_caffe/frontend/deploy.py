"""A network as a deploy.prototxt: what is computed at test and nothing else, for a runtime that knows no phases."""

from __future__ import annotations

from interlingua_caffe import oracle
from interlingua_caffe.frontend.net import Net
from interlingua_caffe.frontend.upgrade import INPUT
from interlingua_caffe.proto import Message, message
from interlingua_caffe.proto.text import render

_TRAINING = ("param", "include", "exclude", "phase", "loss_weight", "propagate_down")
_FILLER = "FillerParameter"  # how weights begin; within some messages OpenCV misreads it


def _bare(layer: Message) -> Message:
    bare = message("LayerParameter")
    bare.CopyFrom(layer)
    for name in _TRAINING:
        bare.ClearField(name)
    for field, value in bare.ListFields():
        if field.message_type is not None and not field.is_repeated:
            for inner in field.message_type.fields:
                if inner.message_type is not None and inner.message_type.name == _FILLER:
                    value.ClearField(inner.name)
    _say_default(bare)
    return bare


def _say_default(layer: Message) -> None:
    """Says the field for which the runtime has another default."""
    owner, _, name = oracle.TO_BE_SAID.get(layer.type, "").partition(".")
    if owner and not getattr(layer, owner).HasField(name):
        setattr(getattr(layer, owner), name, getattr(getattr(layer, owner), name))


def deploy_text(net: Net) -> str:
    """The prototxt of the network as it was read: inputs with shapes (1 for what is free), then its layers."""
    whole = message("NetParameter")
    whole.name = net.name
    names: set[str] = set()
    for name, shape in net.inputs.items():
        layer = whole.layer.add()
        layer.name, layer.type = name, INPUT
        layer.top.append(name)
        layer.input_param.shape.add().dim.extend(size if isinstance(size, int) else 1 for size in shape)
        names.add(name)
    for layer in net.layers:
        copy = whole.layer.add()
        copy.CopyFrom(_bare(layer.message))
        while copy.name in names:  # names are no keys in Caffe; a layer without weights may take any
            copy.name += "_"
        names.add(copy.name)
    return render(whole)
