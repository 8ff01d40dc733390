"""Runs in a Keras worker: one small model for each layer and function that the cards name."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from keras import activations, layers, ops

LINE, IMAGE, VOLUME = (9, 4), (8, 7, 4), (6, 5, 7, 4)
WINDOWS = {1: LINE, 2: IMAGE, 3: VOLUME}


def _conv(rank, **more):
    return getattr(layers, f"Conv{rank}D")(6, 3, name="layer", **more)


def _transposed(rank, **more):
    return getattr(layers, f"Conv{rank}DTranspose")(6, 3, name="layer", **more)


CASES = {
    **{f"conv{n}": (WINDOWS[n], lambda x, n=n: _conv(n)(x)) for n in WINDOWS},
    **{f"conv{n}_same_stride": (WINDOWS[n], lambda x, n=n: _conv(n, padding="same", strides=2)(x)) for n in WINDOWS},
    **{f"conv{n}_dilated": (WINDOWS[n], lambda x, n=n: _conv(n, padding="same", dilation_rate=2)(x)) for n in WINDOWS},
    **{f"conv{n}_grouped": (WINDOWS[n], lambda x, n=n: _conv(n, groups=2, use_bias=False)(x)) for n in WINDOWS},
    "conv_uneven": (IMAGE, layers.Conv2D(5, (2, 4), strides=(1, 2), padding="same", activation="tanh")),
    "conv_channels_first": ((4, 8, 7), layers.Conv2D(5, 3, padding="same", data_format="channels_first")),
    **{f"depthwise{n}": (WINDOWS[n], lambda x, n=n: _depthwise(n, padding="same")(x)) for n in (1, 2)},
    **{f"depthwise{n}_wide": (WINDOWS[n], lambda x, n=n: _depthwise(n, depth_multiplier=3)(x)) for n in (1, 2)},
    **{f"transposed{n}": (WINDOWS[n], lambda x, n=n: _transposed(n, strides=2)(x)) for n in WINDOWS},
    **{
        f"transposed{n}_same": (WINDOWS[n], lambda x, n=n: _transposed(n, strides=2, padding="same")(x))
        for n in WINDOWS
    },
    "transposed_wide_stride": (IMAGE, layers.Conv2DTranspose(5, 2, strides=3, activation="relu")),
    "transposed_output_padding": (IMAGE, layers.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=1)),
    "transposed_valid_output_padding": (IMAGE, layers.Conv2DTranspose(5, 3, strides=2, output_padding=1)),
    "transposed_even": (IMAGE, layers.Conv2DTranspose(5, 4, strides=2, padding="same")),
    **{f"max{n}": (WINDOWS[n], lambda x, n=n: getattr(layers, f"MaxPooling{n}D")(2)(x)) for n in WINDOWS},
    **{f"mean{n}": (WINDOWS[n], lambda x, n=n: getattr(layers, f"AveragePooling{n}D")(2)(x)) for n in WINDOWS},
    "max_same": (IMAGE, layers.MaxPooling2D(3, strides=2, padding="same")),
    "mean_same": (IMAGE, layers.AveragePooling2D(3, strides=2, padding="same")),
    "max_channels_first": ((4, 8, 7), layers.MaxPooling2D((2, 3), strides=1, data_format="channels_first")),
    **{f"global{n}": (WINDOWS[n], lambda x, n=n: getattr(layers, f"GlobalAveragePooling{n}D")()(x)) for n in WINDOWS},
    "global_keepdims": (IMAGE, layers.GlobalAveragePooling2D(keepdims=True)),
    "global_channels_first": ((4, 8, 7), layers.GlobalAveragePooling2D(data_format="channels_first")),
    "dense": ((7,), layers.Dense(5, activation="sigmoid")),
    "dense_no_bias": ((7,), layers.Dense(5, use_bias=False)),
    "dense_of_three_axes": (LINE, layers.Dense(5, activation="softmax")),
    "flatten_dense": (IMAGE, lambda x: layers.Dense(5)(layers.Flatten()(layers.Conv2D(3, 3)(x)))),
    "flatten_channels_first": ((4, 8, 7), layers.Flatten(data_format="channels_first")),
    "normalized": (IMAGE, layers.BatchNormalization(epsilon=0.01, momentum=0.9)),
    "normalized_bare": (IMAGE, layers.BatchNormalization(scale=False, center=False)),
    "normalized_axis": (IMAGE, layers.BatchNormalization(axis=1)),
    "normalized_vector": ((7,), layers.BatchNormalization()),
    "dropout": ((7,), lambda x: layers.Dense(3)(layers.Dropout(0.25)(x))),
    "relu": (IMAGE, layers.ReLU()),
    "relu_capped": (IMAGE, layers.ReLU(max_value=0.3)),
    "relu_sloped": (IMAGE, layers.ReLU(negative_slope=0.3)),
    "relu_function": (IMAGE, ops.relu),
    "relu6_fused": (IMAGE, layers.Conv2D(3, 1, activation="relu6")),
    "leaky": (IMAGE, layers.LeakyReLU(0.1)),
    "leaky_default": (IMAGE, layers.LeakyReLU()),
    "leaky_function": (IMAGE, lambda x: ops.leaky_relu(x, 0.15)),
    "leaky_fused": (IMAGE, layers.Conv2D(3, 1, activation="leaky_relu")),
    "leaky_fused_layer": (IMAGE, layers.Conv2D(3, 1, activation=layers.LeakyReLU(0.4))),
    "elu": (IMAGE, layers.ELU(0.7)),
    "elu_function": (IMAGE, lambda x: activations.elu(x, 0.5)),
    "prelu": (IMAGE, layers.PReLU(shared_axes=[1, 2])),
    "prelu_whole": (IMAGE, layers.PReLU()),
    "prelu_line": (LINE, layers.PReLU(shared_axes=[1])),
    "prelu_one": (IMAGE, layers.PReLU(shared_axes=[1, 2, 3])),
    "sigmoid": (IMAGE, layers.Activation("sigmoid")),
    "tanh": (IMAGE, layers.Activation("tanh")),
    "tanh_function": (IMAGE, ops.tanh),
    "softmax": (IMAGE, layers.Softmax()),
    "softmax_axis": (IMAGE, layers.Softmax(axis=1)),
    "softmax_function": (IMAGE, lambda x: ops.softmax(x, axis=2)),
    "clip": (IMAGE, lambda x: ops.clip(x, -0.2, 0.3)),
    "arithmetic": (IMAGE, lambda x: (1 - x) * 2.5 / (ops.abs(x) + 3.0) - x**2),
    "functions": (IMAGE, lambda x: ops.log(ops.sqrt(ops.exp(x) + 0.5))),
    "add": (IMAGE, lambda x: layers.Add()([x, layers.Conv2D(4, 1)(x), layers.ReLU()(x)])),
    "subtract": (IMAGE, lambda x: layers.Subtract()([x, layers.ReLU()(x)])),
    "multiply": (IMAGE, lambda x: layers.Multiply()([layers.Conv2D(4, 1)(x), x])),
    "broadcast": (IMAGE, lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x)),
    "matmul": (LINE, lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1)))),
    "concatenated": (IMAGE, lambda x: layers.Concatenate()([x, layers.Conv2D(2, 1)(x)])),
    "concatenated_height": (IMAGE, lambda x: layers.Concatenate(axis=1)([x, ops.relu(x)])),
    "concatenated_function": (IMAGE, lambda x: ops.concatenate([x, x + 1.0], axis=-1)),
    "reshaped": (IMAGE, layers.Reshape((28, 8))),
    "reshaped_function": (IMAGE, lambda x: ops.reshape(x, (-1, 14, 4))),
    "permuted": (IMAGE, layers.Permute((3, 1, 2))),
    "squeezed": (IMAGE, lambda x: ops.squeeze(layers.GlobalAveragePooling2D(keepdims=True)(x), (1, 2))),
    "expanded": (LINE, lambda x: ops.expand_dims(x, 2)),
    "averaged": (IMAGE, lambda x: ops.mean(x, axis=(1, 3), keepdims=True)),
    "averaged_away": (IMAGE, lambda x: ops.mean(x, axis=-1)),
    **{f"padded{n}": (WINDOWS[n], lambda x, n=n: getattr(layers, f"ZeroPadding{n}D")(2)(x)) for n in WINDOWS},
    "padded_uneven": (IMAGE, layers.ZeroPadding2D(((0, 1), (2, 3)))),
    "padded_line": (LINE, layers.ZeroPadding1D((1, 2))),
    "padded_function": (IMAGE, lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1)), constant_values=1.5)),
    "padded_reflect": (IMAGE, lambda x: ops.pad(x, ((0, 0), (1, 2), (2, 1), (0, 0)), mode="reflect")),
}


def _depthwise(rank, **more):
    return getattr(layers, f"DepthwiseConv{rank}D")(3, name="layer", **more)


def versions(arrays):
    return {"keras": keras.__version__}, {}


def save(arrays, *, folder):
    """Saves every case as a `.keras` of its name; answers the names."""
    for name, (shape, layer) in CASES.items():
        keras.backend.clear_session(free_memory=False)
        keras.utils.set_random_seed(3)
        image = keras.Input(shape, name="image")
        model = keras.Model(image, layer(image), name=name)
        random = np.random.default_rng(5)
        for variable in model.weights:
            values = random.normal(0, 0.4, variable.shape)
            variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
        model.save(f"{folder}/{name}.keras")
    return list(CASES), {}
