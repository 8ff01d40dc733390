"""Functions and layers of TensorFlow that tf2onnx spells in small operators, for `raising_sources.py tf OUT`."""

from __future__ import annotations

from pathlib import Path


def tensorflow_cases():
    import tensorflow as tf

    def spec(*shape, dtype=tf.float32):
        return tf.TensorSpec(shape, dtype)

    generator = tf.random.Generator.from_seed(3)
    gamma, beta = (tf.Variable(generator.uniform([16]) + 0.5, name=name) for name in ("gamma", "beta"))
    kernel = tf.Variable(generator.normal([16, 16]), name="kernel")
    keras = tf.keras

    def layer_norm(x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)

    def attention(q, k, v):
        return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 8**-0.5), v)

    layer = keras.layers.LayerNormalization(epsilon=1e-3)
    group = keras.layers.GroupNormalization(4)
    group.build((None, 6, 4, 8))
    layer.build((None, 5, 16))
    dense = keras.layers.Dense(6, bias_initializer="random_normal")
    dense.build((None, 5, 16))
    embedding = keras.layers.Embedding(10, 6)
    embedding.build((None, 5))
    heads = keras.layers.MultiHeadAttention(4, 4, bias_initializer="random_normal")
    heads.build((None, 5, 16), (None, 5, 16))
    table = tf.Variable(generator.normal([4, 16, 6]), name="table")
    recurrent = {
        "lstm": keras.layers.LSTM(6, return_sequences=True),
        "gru": keras.layers.GRU(6, return_sequences=True),
        "rnn": keras.layers.SimpleRNN(6),
    }
    for each in recurrent.values():
        each.build((None, 5, 16))
    x = [spec(None, 5, 16)]
    return {
        "layer_norm": (layer_norm, x),
        "keras_layer_norm": (lambda x: layer(x), x),
        "keras_group_norm": (lambda x: group(x), [spec(None, 6, 4, 8)]),
        "gelu": (lambda x: tf.nn.gelu(x), x),
        "tanh_gelu": (lambda x: tf.nn.gelu(x, approximate=True), x),
        "swish": (lambda x: tf.nn.silu(x), x),
        "mish": (lambda x: x * tf.tanh(tf.math.softplus(x)), x),
        "hard_swish": (lambda x: x * tf.nn.relu6(x + 3) / 6, x),
        "hard_sigmoid": (lambda x: keras.activations.hard_sigmoid(x), x),
        "softplus": (lambda x: tf.math.log(1 + tf.exp(x)), x),
        "leaky": (lambda x: tf.nn.leaky_relu(x, 0.1), x),
        "relu6": (lambda x: tf.nn.relu6(x), x),
        "attention": (attention, [spec(None, 4, 5, 8)] * 3),
        "depth_to_space": (lambda x: tf.nn.depth_to_space(x, 2), [spec(None, 6, 4, 8)]),
        "dense": (lambda x: dense(x), x),
        "dense_of_any_length": (lambda x: dense(x), [spec(None, None, 16)]),
        "tensordot": (lambda x: tf.tensordot(x, kernel, [[2], [0]]), x),
        "embedding": (lambda x: embedding(x), [spec(None, 5)]),
        "embedding_of_integers": (lambda x: embedding(x), [spec(None, 5, dtype=tf.int32)]),
        "lookup": (lambda x: tf.nn.embedding_lookup(kernel, x), [spec(None, 5, dtype=tf.int64)]),
        "einsum": (lambda x: tf.einsum("bsi,io->bso", x, kernel), x),
        "einsum_of_heads": (lambda x, y: tf.einsum("bqhd,bkhd->bhqk", x, y), [spec(None, 5, 4, 8)] * 2),
        "einsum_by_batch": (lambda x: tf.einsum("hni,hio->hno", x, table), [spec(4, 5, 16)]),
        "einsum_outer": (lambda x, y: tf.einsum("bi,bj->bij", x, y), [spec(2, 5), spec(2, 6)]),
        "multi_head": (lambda x: heads(x, x), x),
        "l2_normalize": (lambda x: tf.math.l2_normalize(x, -1, epsilon=1e-12), x),
        "roll": (lambda x: tf.roll(x, 1, 1), x),
        "log_softmax": (lambda x: tf.nn.log_softmax(x), x),
        "log_sum_exp": (lambda x: tf.reduce_logsumexp(x, -1), x),
        **{name: (lambda x, each=each: each(x), x) for name, each in recurrent.items()},
    }


def export_tensorflow(folder: Path, names: list[str]) -> None:
    import numpy as np
    import tensorflow as tf
    import tf2onnx

    tf.config.threading.set_intra_op_parallelism_threads(1)
    random = np.random.default_rng(5)
    for name, (function, specs) in tensorflow_cases().items():
        if names and name not in names:
            continue
        shapes = [[2 if size is None else size for size in spec.shape] for spec in specs]
        inputs = [
            (random.normal(size=shape) if spec.dtype.is_floating else random.integers(0, 10, shape)).astype(
                spec.dtype.as_numpy_dtype
            )
            for spec, shape in zip(specs, shapes, strict=True)
        ]
        whole = tf.function(function, input_signature=specs)
        expected = whole(*inputs).numpy()
        try:
            tf2onnx.convert.from_function(
                whole, input_signature=specs, opset=17, output_path=str(folder / f"{name}.onnx")
            )
        except Exception as error:  # what an exporter cannot say is no source of ours
            print(f"{name}: {type(error).__name__} {str(error)[:200]}")
            continue
        np.savez(folder / f"{name}.npz", out0=expected, **{f"in{i}": each for i, each in enumerate(inputs)})
