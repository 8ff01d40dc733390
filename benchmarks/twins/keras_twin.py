"""The Keras twins."""

import keras
from keras import layers
from safetensors.numpy import load_file

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)


def LeNet():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu", name="block1_conv1"),
            layers.MaxPooling2D(2, name="block1_pool1"),
            layers.Conv2D(16, 5, padding="same", activation="relu", name="block2_conv1"),
            layers.MaxPooling2D(2, name="block2_pool1"),
            layers.Flatten(name="flatten"),
            layers.Dense(84, activation="relu", name="fc1"),
            layers.Dense(10, name="before_softmax"),
            layers.Softmax(name="predictions"),
        ]
    )


def VGG16(width=64, classes=1000):
    inputs = x = keras.Input((224, 224, 3))
    for block, (scale, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), 1):
        for layer in range(1, depth + 1):
            name = f"conv{block}_{layer}"
            x = layers.Conv2D(scale * width // 64, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Conv2D(64 * width, 7, activation="relu", name="fc6")(x)
    x = layers.Conv2D(64 * width, 1, activation="relu", name="fc7")(x)
    x = layers.Conv2D(classes, 1, name="fc8")(x)
    return keras.Model(inputs, layers.Reshape((classes,))(x))


def load(model, weights):
    """The model with the weights of a generated one, matched by layer and weight name."""
    given = load_file(weights)
    for layer in model.layers:
        for variable in layer.weights:
            ending = (f"{layer.name}.{variable.name}", f"{layer.name}/{variable.name}")
            variable.assign(next(value for name, value in given.items() if name.endswith(ending)))
    return model
