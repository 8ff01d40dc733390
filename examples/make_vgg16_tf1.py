"""Writes VGG-16 of TF-slim, in slim's names, as TensorFlow 1 files with seeded random weights.

    python make_vgg16_tf1.py OUT [--width 64] [--resource] [--keep-dropout] [--frozen] [--saved-model] [--training]

Runs under TensorFlow 1.15 (Python 3.7) and under TensorFlow 2 alike. Writes OUT/model.meta, .index and .data;
`--frozen` adds OUT/frozen.pb, `--saved-model` OUT/saved_model/. At the full width of 64 the net has 138,357,544
parameters. `--training` adds a loss, an optimizer with slots, summaries and a step counter, which a converter has
to leave alone; `--keep-dropout` lets a placeholder `is_training` choose between the two forms of dropout.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow

tf = tensorflow.compat.v1

BLOCKS = ((1, 2, 1), (2, 2, 2), (3, 3, 4), (4, 3, 8), (5, 3, 8))
CLASSES = 1000


def variable(name, shape, resource, seed):
    """A variable whose values keep activations near 1 through the whole net."""
    inputs = 1
    for size in shape[:-1]:
        inputs *= size
    deviation = (2.0 / inputs) ** 0.5 if len(shape) > 1 else 0.1
    initial = tf.random_normal_initializer(stddev=deviation, seed=seed)
    return tf.get_variable(name, shape, tf.float32, initial, use_resource=resource)


def convolution(x, scope, name, kernel, filters, padding, resource, seed, relu=True):
    """`slim.conv2d`: convolution, bias, ReLU under its name scope."""
    with tf.variable_scope(name):
        weights = variable("weights", [kernel, kernel, int(x.shape[-1]), filters], resource, seed)
        biases = variable("biases", [filters], resource, seed + 1000)
    with tf.name_scope(scope + "/" + name + "/"):
        x = tf.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding=padding, name="Conv2D")
        x = tf.nn.bias_add(x, biases, name="BiasAdd")
        return tf.nn.relu(x, name="Relu") if relu else x


def dropout(x, scope, is_training):
    """`slim.dropout`: an Identity at inference, or both forms behind `is_training`."""
    with tf.name_scope(scope + "/"):
        if is_training is None:
            return tf.identity(x, name="Identity")
        return tf.cond(is_training, lambda: tf.nn.dropout(x, rate=0.5), lambda: tf.identity(x))


def vgg16(x, width, resource, is_training):
    """The net, from `inputs` to `vgg_16/fc8/squeezed`."""
    seed = 1
    with tf.variable_scope("vgg_16"):
        for block, count, factor in BLOCKS:
            with tf.variable_scope(f"conv{block}"):
                for number in range(1, count + 1):
                    name = f"conv{block}_{number}"
                    x = convolution(x, f"vgg_16/conv{block}", name, 3, width * factor, "SAME", resource, seed)
                    seed += 1
            with tf.name_scope(f"vgg_16/pool{block}/"):
                x = tf.nn.max_pool2d(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="MaxPool")
        x = convolution(x, "vgg_16", "fc6", 7, width * 64, "VALID", resource, seed)
        x = dropout(x, "vgg_16/dropout6", is_training)
        x = convolution(x, "vgg_16", "fc7", 1, width * 64, "SAME", resource, seed + 1)
        x = dropout(x, "vgg_16/dropout7", is_training)
        x = convolution(x, "vgg_16", "fc8", 1, CLASSES, "SAME", resource, seed + 2, relu=False)
    return tf.squeeze(x, [1, 2], name="vgg_16/fc8/squeezed")


def add_training(logits):
    """A loss, momentum with slots, a summary and a step counter."""
    labels = tf.placeholder(tf.float32, [None, CLASSES], name="labels")
    with tf.name_scope("training"):
        losses = tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.stop_gradient(labels), logits=logits)
        loss = tf.reduce_mean(losses, name="loss")
        tf.summary.scalar("loss", loss)
        step = tf.train.get_or_create_global_step()
        optimizer = tf.train.MomentumOptimizer(0.01, 0.9)
        optimizer.minimize(loss, global_step=step, name="train_op")


def main():
    """Builds the graph, initialises it and saves what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--width", type=int, default=64, help="channels of the first block (default 64)")
    parser.add_argument("--resource", action="store_true", help="variables as resources instead of references")
    parser.add_argument("--keep-dropout", action="store_true", help="dropout behind a placeholder `is_training`")
    parser.add_argument("--frozen", action="store_true", help="also write frozen.pb")
    parser.add_argument("--saved-model", action="store_true", help="also write saved_model/")
    parser.add_argument("--training", action="store_true", help="add a loss, an optimizer and summaries")
    options = parser.parse_args()

    tf.disable_eager_execution()
    tf.disable_control_flow_v2()
    tf.disable_resource_variables()
    tf.set_random_seed(0)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    x = tf.placeholder(tf.float32, [None, 224, 224, 3], name="inputs")
    is_training = None
    if options.keep_dropout:
        is_training = tf.placeholder_with_default(False, [], name="is_training")
    logits = vgg16(x, options.width, options.resource, is_training)
    if options.training:
        add_training(logits)
    prefix = str(out / "model")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, strip_default_attrs=True)
        if options.frozen:
            frozen = tf.graph_util.convert_variables_to_constants(
                session, session.graph.as_graph_def(), [logits.op.name]
            )
            with open(str(out / "frozen.pb"), "wb") as file:
                file.write(frozen.SerializeToString())
        if options.saved_model:
            folder = str(out / "saved_model")
            tf.saved_model.simple_save(session, folder, {"inputs": x}, {"logits": logits})
        parameters = sum(int(v.shape.num_elements()) for v in tf.trainable_variables())
    print(f"{prefix}: {parameters} parameters")


if __name__ == "__main__":
    main()
