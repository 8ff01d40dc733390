"""Trains LeNet-4 on handwritten digits for some seconds and saves a TensorFlow 1 checkpoint.

    python make_lenet_tf1.py OUT [--steps 400] [--saved-model] [--frozen]

The digits are scikit-learn's 8 × 8 images, enlarged to 28 × 28. Writes OUT/model.meta, .index and .data-… (a graph of
`tf.compat.v1` with its loss, optimizer and saver in it), OUT/held_out.npz with `x` (n, 28, 28, 1) and `y` (n,) that the
training never saw, and OUT/accuracy.json. Input `inputs`, outputs `before_softmax/BiasAdd` and `predictions`.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow
from sklearn.datasets import load_digits

tf = tensorflow.compat.v1


def enlarge(images, size):
    """Images (n, h, w) as (n, size, size), linearly between pixels."""
    _, height, width = images.shape
    rows = np.linspace(0, height - 1, size)
    columns = np.linspace(0, width - 1, size)
    tall = np.stack(
        [images[:, np.floor(r).astype(int)] * (1 - r % 1) + images[:, np.ceil(r).astype(int)] * (r % 1) for r in rows],
        axis=1,
    )
    return np.stack(
        [
            tall[:, :, np.floor(c).astype(int)] * (1 - c % 1) + tall[:, :, np.ceil(c).astype(int)] * (c % 1)
            for c in columns
        ],
        axis=2,
    )


def digits():
    """(train x, train y, held-out x, held-out y): x in 0…1 of shape (n, 28, 28, 1), y the digit."""
    data = load_digits()
    x = enlarge(data.images / 16.0, 28).astype(np.float32)[..., np.newaxis]
    order = np.random.RandomState(0).permutation(len(x))
    held_out, train = order[:450], order[450:]
    return x[train], data.target[train], x[held_out], data.target[held_out]


def parameters(name, shape, seed):
    """A layer's kernel and bias, as variables under the layer's name."""
    deviation = (2.0 / np.prod(shape[:-1])) ** 0.5
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "kernel", shape, initializer=tf.truncated_normal_initializer(stddev=deviation, seed=seed)
        )
        return kernel, tf.get_variable("bias", shape[-1:], initializer=tf.zeros_initializer())


def convolution(x, name, filters, seed):
    """5 × 5, SAME, ReLU."""
    kernel, bias = parameters(name, [5, 5, int(x.shape[-1]), filters], seed)
    with tf.name_scope(name + "/"):
        x = tf.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME", name="Conv2D")
        return tf.nn.relu(tf.nn.bias_add(x, bias, name="BiasAdd"), name="Relu")


def dense(x, name, units, seed):
    """A fully connected layer without its activation."""
    kernel, bias = parameters(name, [int(x.shape[-1]), units], seed)
    with tf.name_scope(name + "/"):
        return tf.nn.bias_add(tf.matmul(x, kernel, name="MatMul"), bias, name="BiasAdd")


def lenet(x):
    """(logits, probabilities) of images (n, 28, 28, 1)."""
    x = convolution(x, "block1_conv1", 6, 1)
    x = tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="block1_pool1")
    x = convolution(x, "block2_conv1", 16, 2)
    x = tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="block2_pool1")
    x = tf.reshape(x, [-1, 7 * 7 * 16], name="flatten")
    x = tf.nn.relu(dense(x, "fc1", 84, 3), name="fc1/Relu")
    logits = dense(x, "before_softmax", 10, 4)
    return logits, tf.nn.softmax(logits, name="predictions")


def main():
    """Builds, trains, measures and saves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=400, help="steps of 64 images (default 400)")
    parser.add_argument("--saved-model", action="store_true", help="also write saved_model/")
    parser.add_argument("--frozen", action="store_true", help="also write frozen.pb")
    options = parser.parse_args()

    tf.disable_eager_execution()
    tf.disable_control_flow_v2()
    tf.disable_resource_variables()
    tf.set_random_seed(0)
    train_x, train_y, held_x, held_y = digits()
    x = tf.placeholder(tf.float32, [None, 28, 28, 1], name="inputs")
    y = tf.placeholder(tf.int64, [None], name="labels")
    logits, predictions = lenet(x)
    with tf.name_scope("training"):
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss")
        train = tf.train.AdamOptimizer(0.002).minimize(loss, global_step=tf.train.get_or_create_global_step())

    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    draw = np.random.RandomState(1)
    settings = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with tf.Session(config=settings) as session:
        session.run(tf.global_variables_initializer())
        for _ in range(options.steps):
            batch = draw.randint(0, len(train_x), 64)
            session.run(train, {x: train_x[batch], y: train_y[batch]})
        probabilities = session.run(predictions, {x: held_x})
        tf.train.Saver().save(session, str(out / "model"), strip_default_attrs=True)
        if options.frozen:
            frozen = tf.graph_util.convert_variables_to_constants(
                session, session.graph.as_graph_def(), [predictions.op.name]
            )
            with open(str(out / "frozen.pb"), "wb") as file:
                file.write(frozen.SerializeToString())
        if options.saved_model:
            folder = str(out / "saved_model")
            tf.saved_model.simple_save(session, folder, {"inputs": x}, {"predictions": predictions})
    accuracy = float(np.mean(probabilities.argmax(axis=1) == held_y))
    np.savez(str(out / "held_out.npz"), x=held_x, y=held_y)
    with open(str(out / "accuracy.json"), "w") as file:
        json.dump({"accuracy": accuracy, "held_out": len(held_y)}, file)
    print(f"{out / 'model'}: {accuracy:.1%} of {len(held_y)} held-out digits")


if __name__ == "__main__":
    main()
