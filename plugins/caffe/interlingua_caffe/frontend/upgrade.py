"""Brings networks of Caffe's earlier forms (V0, V1, `input:` lines) to the one of today: `layer`s alone.

Source of the rules: Caffe's own upgrade (`upgrade_proto.cpp`), in its order: V0 to V1, data fields to
`transform_param`, V1 to V2, input lines to Input layers.
"""

from __future__ import annotations

from typing import Any

from interlingua.errors import InvalidSource
from interlingua_caffe.proto import Message, message

INPUT = "Input"

_V0_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}
_PADDING = "padding"

_V0_FIELDS: dict[str, dict[str, str]] = {
    "conv": {
        "num_output": "convolution_param.num_output",
        "biasterm": "convolution_param.bias_term",
        "weight_filler": "convolution_param.weight_filler",
        "bias_filler": "convolution_param.bias_filler",
        "pad": "convolution_param.pad",
        "kernelsize": "convolution_param.kernel_size",
        "group": "convolution_param.group",
        "stride": "convolution_param.stride",
    },
    "innerproduct": {
        "num_output": "inner_product_param.num_output",
        "biasterm": "inner_product_param.bias_term",
        "weight_filler": "inner_product_param.weight_filler",
        "bias_filler": "inner_product_param.bias_filler",
    },
    "pool": {
        "pad": "pooling_param.pad",
        "kernelsize": "pooling_param.kernel_size",
        "stride": "pooling_param.stride",
        "pool": "pooling_param.pool",
    },
    "lrn": {
        "local_size": "lrn_param.local_size",
        "alpha": "lrn_param.alpha",
        "beta": "lrn_param.beta",
        "k": "lrn_param.k",
    },
    "dropout": {"dropout_ratio": "dropout_param.dropout_ratio"},
    "concat": {"concat_dim": "concat_param.concat_dim"},
    "data": {"source": "data_param.source", "batchsize": "data_param.batch_size"},
    "images": {"source": "image_data_param.source", "batchsize": "image_data_param.batch_size"},
    "window_data": {"source": "window_data_param.source", "batchsize": "window_data_param.batch_size"},
    "hdf5_data": {"source": "hdf5_data_param.source", "batchsize": "hdf5_data_param.batch_size"},
    "infogain_loss": {"source": "infogain_loss_param.source"},
}
_V0_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_V0_DATA = ("data", "images", "window_data")
_DATA_PARAMS = ("data_param", "image_data_param", "window_data_param")

_V2_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "NONE": "",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


def _set(target: Message, path: str, value: Any) -> None:
    """Sets the field at a dotted path; a repeated one gets the value as its only item."""
    *parents, name = path.split(".")
    for parent in parents:
        target = getattr(target, parent)
        target.SetInParent()
    field = target.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        getattr(target, name).append(value)
    elif field.message_type is not None:
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def _upgraded_v0(connection: Message) -> Message:
    """`layers { layer { type: "conv" kernelsize: 5 } }` becomes `layers { type: CONVOLUTION … }`."""
    old = connection.layer
    if old.type not in _V0_TYPES:
        known = ", ".join(_V0_TYPES)
        raise InvalidSource(
            f"Expected a layer type of Caffe's first form ({known}). Received {old.type!r}.",
            place=f"layer {old.name!r}",
        )
    new = message("V1LayerParameter")
    new.bottom.extend(connection.bottom)
    new.top.extend(connection.top)
    new.name = old.name
    new.type = new.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name[_V0_TYPES[old.type]].number
    new.blobs_lr.extend(old.blobs_lr)
    new.weight_decay.extend(old.weight_decay)
    for name, path in _V0_FIELDS.get(old.type, {}).items():
        if old.HasField(name):
            _set(new, path, getattr(old, name))
    if old.type in _V0_DATA:
        for name, field in _V0_TRANSFORM.items():
            if old.HasField(name):
                _set(new, f"transform_param.{field}", getattr(old, name))
    return new


def _fold_padding(connections: list[Message]) -> list[Message]:
    """A `padding` layer becomes the `pad` of the layers that take its top."""
    padded = {
        c.top[0]: (c.layer.pad, c.bottom[0]) for c in connections if c.layer.type == _PADDING and c.top and c.bottom
    }
    kept = []
    for connection in connections:
        if connection.layer.type == _PADDING:
            continue
        for index, bottom in enumerate(connection.bottom):
            if bottom in padded:
                if connection.layer.type not in ("conv", "pool"):
                    raise InvalidSource(
                        f"Expected a conv or pool layer after a padding layer. Received {connection.layer.type!r}.",
                        place=f"layer {connection.layer.name!r}",
                    )
                connection.layer.pad, connection.bottom[index] = padded[bottom]
        kept.append(connection)
    return kept


def _v2_type(name: str) -> str:
    return _V2_TYPES.get(name, "".join(part.capitalize() for part in name.split("_")))


def _upgraded_v1(old: Message) -> Message:
    """`layers { type: CONVOLUTION blobs_lr: 1 }` becomes `layer { type: "Convolution" param { lr_mult: 1 } }`."""
    new = message("LayerParameter")
    kinds = old.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
    new.type = _v2_type(kinds[old.type].name)
    known = new.DESCRIPTOR.fields_by_name
    for field, value in old.ListFields():
        if field.name == "param":
            for index, name in enumerate(value):
                _param(new, index).name = name
        elif field.name == "blobs_lr":
            for index, rate in enumerate(value):
                _param(new, index).lr_mult = rate
        elif field.name == "weight_decay":
            for index, decay in enumerate(value):
                _param(new, index).decay_mult = decay
        elif field.name != "type" and field.name in known:
            if field.is_repeated:
                getattr(new, field.name).extend(value)
            else:
                _set(new, field.name, value)
    return new


def _param(layer: Message, index: int) -> Message:
    while len(layer.param) <= index:
        layer.param.add()
    return layer.param[index]


def _move_transforms(layer: Message) -> None:
    """Moves scale, mean_file, crop_size and mirror of a data layer to its `transform_param`."""
    for owner in _DATA_PARAMS:
        if not layer.HasField(owner):
            continue
        for name in _V0_TRANSFORM.values():
            if getattr(layer, owner).HasField(name):
                _set(layer, f"transform_param.{name}", getattr(getattr(layer, owner), name))
                getattr(layer, owner).ClearField(name)


def _input_layers(net: Message) -> list[Message]:
    """`input: "data" input_dim: …` becomes an Input layer each; one without a shape keeps none."""
    if net.input_dim and len(net.input_dim) != 4 * len(net.input):
        raise InvalidSource(
            f"Expected 4 input_dim for each of {len(net.input)} inputs. Received {len(net.input_dim)}.", place=net.name
        )
    layers = []
    for index, name in enumerate(net.input):
        layer = message("LayerParameter")
        layer.name, layer.type = name, INPUT
        layer.top.append(name)
        if net.input_dim:
            layer.input_param.shape.add().dim.extend(net.input_dim[4 * index : 4 * index + 4])
        elif index < len(net.input_shape):
            layer.input_param.shape.add().CopyFrom(net.input_shape[index])
        layers.append(layer)
    return layers


def upgrade(net: Message) -> Message:
    """A new `NetParameter` in today's form with the same meaning.

    Raises:
        InvalidSource: old and new layers are mixed, or a rule of the old form is broken.
    """
    if net.layer and net.layers:
        raise InvalidSource("Expected layers of one form. Received both `layer` and `layers`.", place=net.name)
    old = list(net.layers)
    if any(connection.HasField("layer") for connection in old):
        old = [_upgraded_v0(connection) for connection in _fold_padding(old)]
    layers = [_upgraded_v1(layer) for layer in old] or list(net.layer)
    new = message("NetParameter")
    new.name = net.name
    if net.HasField("state"):
        new.state.CopyFrom(net.state)
    for layer in [*_input_layers(net), *layers]:
        new.layer.add().CopyFrom(layer)
        _move_transforms(new.layer[-1])
    return new
