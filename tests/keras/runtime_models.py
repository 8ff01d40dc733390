"""Runs in a Keras worker: saves sample models of every shape the archive reader meets."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from keras import layers


def versions(arrays):
    return {"keras": keras.__version__}, {}


def lenet():
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(6, 5, padding="same", activation="relu", name="block1_conv1")(image)
    x = layers.MaxPooling2D(2, name="block1_pool1")(x)
    x = layers.Conv2D(16, 5, padding="same", activation="relu", name="block2_conv1")(x)
    x = layers.MaxPooling2D(2, name="block2_pool1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(84, activation="relu", name="fc1")(x)
    x = layers.Dense(10, name="before_softmax")(x)
    return keras.Model(image, layers.Softmax(name="predictions")(x), name="lenet4")


def vgg():
    """VGG-16 with the widths of a doll's house."""
    x = image = keras.Input((64, 64, 3), name="image")
    for block, (depth, width) in enumerate([(2, 4), (2, 6), (3, 8), (3, 10), (3, 10)], 1):
        for number in range(1, depth + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(24, activation="relu", name=name)(x)
        x = layers.Dropout(0.5, name=f"{name}_drop")(x)
    return keras.Model(image, layers.Dense(7, activation="softmax", name="predictions")(x), name="vgg16")


def several():
    """Two inputs, outputs by name, a layer and a model used twice, functions, a Sequential inside."""
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    inside = keras.Input((8, 8, 4), name="inside")
    normal = layers.BatchNormalization(name="normal")(inside)
    inner = keras.Model(inside, [layers.Conv2D(4, 1, name="mix")(inside), normal], name="inner")
    p, q = inner(shared(a))
    r, s = inner(shared(b))
    joined = layers.Concatenate(name="joined")([p, q, r])
    total = keras.ops.relu(layers.Add(name="total")([p, s]) * 2.0 + 1.0)
    head = keras.Sequential([layers.Flatten(), layers.Dense(5, activation="softmax", name="dense")], name="head")
    outputs = {"w": keras.ops.transpose(total, (0, 3, 1, 2)), "o": head(joined)}
    return keras.Model([a, b], outputs, name="several")


def trained():
    """A Sequential with dropout, batch normalization and the optimizer's own variables."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ],
        name="trained",
    )
    model.compile("adam", "mse")
    random = np.random.default_rng(1)
    model.fit(random.random((4, 8, 8, 3)), random.random((4, 3)), verbose=0)
    return model


def anonymous():
    """A Sequential that never saw an input."""
    return keras.Sequential([layers.Flatten(), layers.ReLU()], name="anonymous")


def lambda_():
    image = keras.Input((4,), name="image")
    return keras.Model(image, layers.Lambda(lambda x: x * 2, name="twice")(image), name="lambda")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 4), np.float32))
    return model


def _perturb(model, random):
    for variable in model.weights:
        if variable.dtype == "float32":
            values = random.normal(0, 0.2, variable.shape)
            variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)


def save(arrays, *, folder, models):
    """Saves models by the name of their function here as `.keras` and `.h5`, their weights perturbed."""
    for name in models:
        keras.backend.clear_session(free_memory=False)
        keras.utils.set_random_seed(7)
        model = globals()[name]()
        _perturb(model, np.random.default_rng(13))
        path = f"{folder}/{name.rstrip('_')}"
        model.save(path + ".keras")
        if name != "subclassed":
            model.save(path + ".h5")
        if name == "lenet":
            model.save_weights(path + ".weights.h5")
    return None, {}
