"""Makes inference models in Fluid 1.8.5, one folder each; run by Python 3.7: programs.py OUT.

Every parameter is drawn at random, statistics of normalizations too. OUT/<name> holds the model in separate files,
OUT/<name>.npz its inputs and outputs as Fluid computed them.
"""

import pathlib
import sys

import numpy as np
import paddle.fluid as fluid

layers = fluid.layers
IMAGE = (2, 4, 9, 8)
PROGRAMS = {}


def program(*shapes):
    """Registers a function of tensors of these shapes; the first axis is saved as open."""

    def keep(function):
        PROGRAMS[function.__name__] = (shapes, function)
        return function

    return keep


@program(IMAGE)
def convolution_padded_at_each_end(x):
    return layers.conv2d(x, 6, (3, 2), stride=(2, 1), padding=[1, 2, 0, 1], dilation=(1, 2), groups=2)


@program(IMAGE)
def convolution_same(x):
    return layers.conv2d(x, 5, 3, stride=2, padding="SAME", bias_attr=False)


@program(IMAGE)
def convolution_same_ignores_dilation(x):
    return layers.conv2d(x, 5, 3, padding="SAME", dilation=2)


@program(IMAGE)
def convolution_valid_dilated(x):
    return layers.conv2d(x, 5, 3, padding="VALID", dilation=2, act="sigmoid")


@program((2, 9, 8, 4))
def convolution_channels_last(x):
    return layers.conv2d(x, 5, 3, padding=1, data_format="NHWC", act="relu")


@program(IMAGE)
def convolution_depthwise(x):
    return layers.conv2d(x, 4, 3, padding=1, groups=4, use_cudnn=False)


@program((2, 3, 5, 6, 7))
def convolution_volume(x):
    return layers.conv3d(x, 4, (2, 3, 3), stride=(1, 2, 1), padding=(1, 0, 1))


@program(IMAGE)
def convolution_with_shared_kernel(x):
    first = layers.conv2d(x, 4, 3, padding=1, param_attr="shared", bias_attr="one")
    return layers.conv2d(first, 4, 3, padding=1, param_attr="shared", bias_attr="two")


@program(IMAGE)
def transposed(x):
    return layers.conv2d_transpose(x, 6, filter_size=3, stride=2, padding=1, groups=2)


@program(IMAGE)
def transposed_to_a_size(x):
    return layers.conv2d_transpose(x, 3, output_size=[18, 16], filter_size=3, stride=2, padding=1)


@program((2, 3, 4, 5, 3))
def transposed_volume(x):
    return layers.conv3d_transpose(x, 2, filter_size=2, stride=2)


@program(IMAGE)
def pooling_largest(x):
    return layers.pool2d(x, 3, "max", 2, pool_padding=1)


@program(IMAGE)
def pooling_ceiling(x):
    return layers.pool2d(x, 3, "max", 2, ceil_mode=True)


@program(IMAGE)
def pooling_mean_with_padding_ceiling(x):
    return layers.pool2d(x, 4, "avg", 3, pool_padding=1, exclusive=False, ceil_mode=True)


@program(IMAGE)
def pooling_mean_without_padding_ceiling(x):
    return layers.pool2d(x, 3, "avg", 2, pool_padding=[0, 1, 0, 0], ceil_mode=True)


@program(IMAGE)
def pooling_mean_without_padding(x):
    return layers.pool2d(x, 3, "avg", 2, pool_padding=[1, 0, 0, 1])


@program(IMAGE)
def pooling_mean_with_padding(x):
    return layers.pool2d(x, 3, "avg", 2, pool_padding=1, exclusive=False)


@program(IMAGE)
def pooling_same(x):
    return layers.pool2d(x, 3, "avg", 2, pool_padding="SAME")


@program(IMAGE)
def pooling_whole_mean(x):
    return layers.pool2d(x, pool_type="avg", global_pooling=True)


@program(IMAGE)
def pooling_whole_largest(x):
    return layers.pool2d(x, pool_type="max", global_pooling=True)


@program((2, 3, 8, 6))
def pooling_adaptive(x):
    return layers.adaptive_pool2d(x, [4, 2], "avg")


@program((2, 9, 8, 4))
def pooling_channels_last(x):
    return layers.pool2d(x, 2, "max", 2, data_format="NHWC")


@program((2, 3, 4, 6, 5))
def pooling_volume(x):
    return layers.pool3d(x, 2, "avg", 2)


@program(IMAGE)
def dense(x):
    return layers.fc(x, 7, act="tanh")


@program((2, 3, 5))
def dense_over_the_last_axis(x):
    return layers.fc(x, 7, num_flatten_dims=2)


@program((2, 3, 5), (2, 5, 4))
def product(x, y):
    return layers.matmul(x, y)


@program((2, 5, 3), (2, 4, 5))
def product_of_turned(x, y):
    return layers.matmul(x, y, transpose_x=True, transpose_y=True, alpha=0.5)


@program(IMAGE, (4,))
def broadcast_from_an_axis(x, y):
    return layers.elementwise_mul(x, y, axis=1)


@program(IMAGE, (4, 9))
def broadcast_two_axes(x, y):
    return layers.elementwise_sub(x, y, axis=1)


@program(IMAGE, (9, 8))
def broadcast_at_the_end(x, y):
    return layers.elementwise_div(x, layers.abs(y) + 1.0)


@program(IMAGE)
def a_trained_factor(x):
    factor = layers.create_parameter([4], "float32", name="factor")
    return layers.elementwise_add(layers.elementwise_mul(x, factor, axis=1), x)


@program(IMAGE)
def arithmetic_with_numbers(x):
    return layers.scale(x, 2.0, bias=-1.0, bias_after_scale=False) * 0.5 + 3.0


@program(IMAGE)
def powers_and_roots(x):
    y = layers.abs(x) + 0.5
    return layers.log(layers.sqrt(layers.pow(y, 1.5)) + layers.exp(x)) + layers.elementwise_pow(y, x)


@program(IMAGE, IMAGE, IMAGE)
def sums(x, y, z):
    return layers.sums([x, y, z])


@program(IMAGE)
def activations(x):
    total = layers.leaky_relu(x, 0.2) + layers.leaky_relu(x) + layers.elu(x, 0.7) + layers.relu6(x * 5.0)
    return total + layers.tanh(x) + layers.sigmoid(x) + layers.brelu(x, -0.3, 0.4) + layers.clip(x, -0.5, 0.25)


@program(IMAGE)
def slopes_of_channels(x):
    return layers.prelu(x, "channel")


@program(IMAGE)
def slope_of_all(x):
    return layers.prelu(x, "all")


@program(IMAGE)
def slopes_of_elements(x):
    return layers.prelu(x, "element")


@program(IMAGE)
def softmax_of_channels(x):
    return layers.softmax(x, axis=1)


@program(IMAGE)
def batch_norm(x):
    return layers.batch_norm(x, epsilon=1e-3, momentum=0.8, act="relu")


@program((2, 9, 8, 4))
def batch_norm_channels_last(x):
    return layers.batch_norm(x, data_layout="NHWC")


@program((2, 6))
def batch_norm_of_vectors(x):
    return layers.batch_norm(x)


@program((2, 7, 5, 4))
def response_norm(x):
    return layers.lrn(x, n=5, k=2.0, alpha=0.3, beta=0.6)


@program(IMAGE)
def dropout_scaled_at_inference(x):
    return layers.dropout(x, 0.3)


@program(IMAGE)
def dropout_scaled_in_training(x):
    return layers.dropout(x, 0.3, dropout_implementation="upscale_in_train")


@program(IMAGE)
def shapes(x):
    y = layers.transpose(layers.reshape(x, [0, 2, 2, -1]), [0, 2, 3, 1])
    return layers.concat([layers.flatten(y), layers.reshape(x, [-1, 288])], axis=1)


@program((2, 1, 5, 1))
def squeezing(x):
    return layers.unsqueeze(layers.squeeze(x, [1, 3]), [0, 2])


@program(IMAGE)
def padding_of_any_axis(x):
    return layers.pad(x, [0, 0, 1, 0, 2, 1, 0, 3], pad_value=0.5)


@program(IMAGE)
def padding_reflected(x):
    return layers.pad2d(x, [1, 2, 3, 0], mode="reflect")


@program((2, 9, 8, 4))
def padding_channels_last(x):
    return layers.pad2d(x, [1, 2, 3, 0], mode="edge", data_format="NHWC")


@program(IMAGE)
def mean_of_axes(x):
    return layers.reduce_mean(x, [1, 3], keep_dim=True)


@program(IMAGE)
def mean_of_negative_axis(x):
    return layers.reduce_mean(x, -1)


@program(IMAGE)
def mean_of_all(x):
    return layers.reduce_mean(x) + layers.mean(x)


@program((3, 1, 28, 28))
def lenet(x):
    y = layers.conv2d(x, 6, 5, padding=2, act="relu", name="block1_conv1")
    y = layers.pool2d(y, 2, pool_stride=2, name="block1_pool1")
    y = layers.conv2d(y, 16, 5, padding=2, act="relu", name="block2_conv1")
    y = layers.pool2d(y, 2, pool_stride=2, name="block2_pool1")
    y = layers.fc(y, 84, act="relu", name="fc1")
    return layers.softmax(layers.fc(y, 10, name="before_softmax"), name="predictions")


def beyond_the_records(x):
    """Operators that nobody reads yet; saved, and not among the programs."""
    y = layers.conv2d(layers.hard_swish(x), 4, 3, padding=1)
    return layers.elementwise_max(layers.gelu(y), x)


def randomised(main, scope, random):
    """Gives every parameter values of a usual size."""
    for variable in sorted(main.list_vars(), key=lambda v: v.name):
        if not variable.persistable:
            continue
        tensor = scope.var(variable.name).get_tensor()
        values = random.uniform(-0.5, 0.5, tensor.shape())
        if variable.name.endswith((".w_2",)):
            values = np.abs(values) + 0.5
        tensor.set(values.astype("float32"), fluid.CPUPlace())


def save(name, folder):
    """Saves one program, its inputs and what Fluid computes from them."""
    shapes_, function = PROGRAMS.get(name) or ([IMAGE], beyond_the_records)
    main, start, scope = fluid.Program(), fluid.Program(), fluid.Scope()
    random = np.random.RandomState(7)
    with fluid.program_guard(main, start), fluid.unique_name.guard(), fluid.scope_guard(scope):
        open_axis = [None] if all(shape[0] == shapes_[0][0] for shape in shapes_) else []
        inputs = [
            fluid.data("xyz"[i], open_axis + list(shape[len(open_axis) :]), "float32")
            for i, shape in enumerate(shapes_)
        ]
        output = function(*inputs)
        executor = fluid.Executor(fluid.CPUPlace())
        executor.run(start)
        randomised(main, scope, random)
        tested = main.clone(for_test=True)
        feed = {"xyz"[i]: random.randn(*shape).astype("float32") for i, shape in enumerate(shapes_)}
        (value,) = executor.run(tested, feed=feed, fetch_list=[output])
        arguments = (list(feed), [output], executor, main)
        fluid.io.save_inference_model(str(folder / name), *arguments)
        if name == "lenet":
            fluid.io.save_inference_model(str(folder / "combined"), *arguments, params_filename="__params__")
    np.savez(str(folder / (name + ".npz")), output=np.asarray(value), **feed)


if __name__ == "__main__":
    for each in [*PROGRAMS, "beyond_the_records"]:
        save(each, pathlib.Path(sys.argv[1]))
