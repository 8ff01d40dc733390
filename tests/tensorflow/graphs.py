"""Builds small TensorFlow 1 graphs with one trap each: `python graphs.py OUT [NAME …]`, under TensorFlow 1.15 or 2.

For each pattern: OUT/NAME/model.meta, .index, .data and OUT/NAME/io.npz with inputs `x` and the output `y` of
inference. SavedModels of TensorFlow 2 (names beginning with `saved_`) are written as folders.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow

tf = tensorflow.compat.v1
RANDOM = np.random.RandomState(3)


def values(*shape):
    return RANDOM.randn(*shape).astype(np.float32)


def weights(name, *shape, **more):
    return tf.get_variable(name, initializer=values(*shape), use_resource=False, **more)


def batch_norm_behind_a_flag(x):
    """Batch normalization in both forms behind `is_training`, as slim writes it."""
    training = tf.placeholder_with_default(False, [], name="is_training")
    x = tf.nn.conv2d(x, weights("conv/weights", 3, 3, 3, 4), [1, 1, 1, 1], "SAME")
    scale, offset = weights("bn/gamma", 4), weights("bn/beta", 4)
    mean = tf.get_variable("bn/moving_mean", initializer=values(4), trainable=False, use_resource=False)
    variance = tf.get_variable(
        "bn/moving_variance", initializer=np.abs(values(4)) + 0.5, trainable=False, use_resource=False
    )

    def train():
        return tf.nn.fused_batch_norm(x, scale, offset, epsilon=1e-3, is_training=True)[0]

    def infer():
        return tf.nn.fused_batch_norm(x, scale, offset, mean, variance, epsilon=1e-3, is_training=False)[0]

    return tf.nn.relu(tf.cond(training, train, infer), name="output")


def plain_flag(x):
    """A flag without a default, and the condition of TensorFlow 2's control flow."""
    training = tf.placeholder(tf.bool, [], name="is_training")
    x = tf.matmul(tf.reshape(x, [-1, 192]), weights("w", 192, 5))
    return tf.identity(tf.cond(training, lambda: tf.nn.dropout(x, rate=0.3), lambda: tf.identity(x)), name="output")


def keep_prob(x):
    """A dropout whose `keep_prob` is a placeholder, spelled as before 1.13."""
    kept = tf.placeholder(tf.float32, [], name="keep_prob")
    x = tf.matmul(tf.reshape(x, [-1, 192]), weights("w", 192, 5))
    mask = tf.floor(kept + tf.random.uniform(tf.shape(x)))
    return tf.nn.relu(tf.divide(x, kept) * mask, name="output")


def moving_average(x):
    """A checkpoint that holds only the moving averages of the weights."""
    w = weights("w", 192, 5)
    output = tf.matmul(tf.reshape(x, [-1, 192]), w, name="output")
    return output, tf.train.Saver({"w/ExponentialMovingAverage": w})


def renamed(x):
    """A saver that gives the variables other names than the graph."""
    w, b = weights("net/w", 192, 5), weights("net/b", 5)
    output = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, 192]), w), b, name="output")
    return output, tf.train.Saver({"first": w, "second": b})


def partitioned(x):
    """A variable in three slices, stored under one name."""
    with tf.variable_scope("p", partitioner=tf.fixed_size_partitioner(3)):
        w = tf.get_variable("w", [192, 6], initializer=tf.random_normal_initializer(seed=1), use_resource=False)
    return tf.matmul(tf.reshape(x, [-1, 192]), tf.convert_to_tensor(w), name="output")


def two_ends(x):
    """Two outputs, of which none is the other's ancestor."""
    x = tf.matmul(tf.reshape(x, [-1, 192]), weights("w", 192, 5))
    tf.nn.relu(x, name="left")
    return tf.tanh(x, name="right")


def unknown_op(x):
    """An op that ONNX has not."""
    x = tf.matmul(tf.reshape(x, [-1, 192]), weights("w", 192, 5))
    return tf.raw_ops.Bucketize(input=x, boundaries=[0.0, 1.0], name="output")


def depthwise_and_same(x):
    """Depthwise with multiplier, strided SAME on an even size, average pooling SAME, atrous convolution."""
    x = tf.nn.depthwise_conv2d(x, weights("d", 3, 3, 3, 2), [1, 2, 2, 1], "SAME")
    x = tf.nn.avg_pool2d(x, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
    x = tf.nn.conv2d(x, weights("a", 3, 3, 6, 4), [1, 1, 1, 1], "SAME", dilations=[1, 2, 2, 1])
    return tf.reduce_mean(tf.nn.leaky_relu(x, 0.3), [1, 2], name="output")


def deconvolution(x):
    """A transposed convolution whose output's shape is computed."""
    shape = tf.stack([tf.shape(x)[0], 16, 16, 5])
    return tf.nn.conv2d_transpose(x, weights("w", 4, 4, 5, 3), shape, [1, 2, 2, 1], "SAME", name="output")


def saved_function(folder):
    """A SavedModel of TensorFlow 2 with a nested function and two variables of one name."""

    class Net(tensorflow.Module):
        def __init__(self):
            super().__init__()
            self.first = tensorflow.Variable(values(192, 7))
            self.second = tensorflow.Variable(values(7, 4))

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 8, 8, 3], name="image")])
        def serve(self, image):
            return {"scores": self.inner(tensorflow.reshape(image, [-1, 192]))}

        @tensorflow.function
        def inner(self, x):
            return tensorflow.matmul(tensorflow.nn.relu(tensorflow.matmul(x, self.first)), self.second)

    net = Net()
    x = values(2, 8, 8, 3)
    tensorflow.saved_model.save(net, str(Path(folder) / "saved"), signatures=net.serve)
    np.savez(str(Path(folder) / "io.npz"), x=x, y=net.serve(x)["scores"].numpy())


def saved_grouped(folder):
    """A SavedModel of Keras 3 with a grouped convolution, which is a call compiled by XLA."""
    import keras

    keras.utils.set_random_seed(1)
    x = values(2, 8, 8, 4)
    given = keras.Input((8, 8, 4), name="image")
    y = keras.layers.Conv2D(6, 3, groups=2, padding="same", activation="gelu")(given)
    net = keras.Model(given, keras.layers.BatchNormalization()(y))
    net.export(str(Path(folder) / "saved"), verbose=False)
    np.savez(str(Path(folder) / "io.npz"), x=x, y=net(x, training=False).numpy())


GRAPHS = (
    batch_norm_behind_a_flag, plain_flag, keep_prob, moving_average, renamed, partitioned, two_ends, unknown_op,
    depthwise_and_same, deconvolution,
)  # fmt: skip
SAVED = (saved_function, saved_grouped)
FEEDS = {"keep_prob:0": 1.0, "is_training:0": False}


def write(build, folder):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="inputs")
        built = build(x)
        output, saver = built if isinstance(built, tuple) else (built, None)
        session.run(tf.global_variables_initializer())
        given = values(2, 8, 8, 3)
        names = {operation.name for operation in graph.get_operations()}
        feeds = {name: value for name, value in FEEDS.items() if name[:-2] in names}
        y = session.run(output, dict(feeds, **{x.name: given}))
        (saver or tf.train.Saver()).save(session, str(Path(folder) / "model"))
    np.savez(str(Path(folder) / "io.npz"), x=given, y=y)


def main(out, wanted):
    for build in SAVED:
        if build.__name__ in wanted:
            (Path(out) / build.__name__).mkdir()
            build(str(Path(out) / build.__name__))
    tf.disable_eager_execution()
    tf.disable_resource_variables()
    for build in GRAPHS:
        if build.__name__ in wanted:
            (tf.enable_control_flow_v2 if build is plain_flag else tf.disable_control_flow_v2)()
            (Path(out) / build.__name__).mkdir()
            write(build, str(Path(out) / build.__name__))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or [build.__name__ for build in (*SAVED, *GRAPHS)])
