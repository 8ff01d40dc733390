"""Small graphs for the tests of passes, and their numbers by onnxruntime without optimisations."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

FLOAT = onnx.TensorProto.FLOAT


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng([seed, *shape]).normal(size=shape) * 0.3).astype(np.float32)


def scaled(*shape: int, inputs: int) -> np.ndarray:
    """Weights that keep a signal's size through a layer of that many inputs, so that no softmax saturates."""
    return (np.random.default_rng([1, *shape]).normal(size=shape) * (2 / inputs) ** 0.5).astype(np.float32)


class Graph:
    """Writes nodes one after another; every value's name is returned."""

    def __init__(self, opset: int = 26) -> None:
        self.nodes, self.inputs, self.initializers, self.opset, self.count = [], [], [], opset, 0

    def input(self, name, shape, dtype=FLOAT):
        self.inputs.append(onnx.helper.make_tensor_value_info(name, dtype, shape))
        return name

    def weight(self, array, name=None):
        self.count += 1
        name = name or f"w{self.count}"
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def __call__(self, op, *inputs, outputs=1, name="", domain="", **attributes):
        self.count += 1
        names = [f"v{self.count}" if outputs == 1 else f"v{self.count}_{i}" for i in range(outputs)]
        read = [self.weight(each) if isinstance(each, np.ndarray) else each or "" for each in inputs]
        self.nodes.append(onnx.helper.make_node(op, read, names, name=name, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def transpose(self, value, *order):
        return self("Transpose", value, perm=list(order))

    def model(self, *outputs, ir_version=10) -> ir.Model:
        infos = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = onnx.helper.make_graph(self.nodes, "graph", self.inputs, infos, self.initializers)
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        opsets += [onnx.helper.make_opsetid(domain, 1) for domain in sorted({n.domain for n in self.nodes} - {""})]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
        inferred = onnx.shape_inference.infer_shapes(model)
        known = {info.name: info for info in (*inferred.graph.value_info, *inferred.graph.input)}
        known.update(
            (info.name, onnx.ValueInfoProto.FromString(info.SerializeToString())) for info in inferred.graph.output
        )
        model = inferred
        model.graph.ClearField("output")
        for name in outputs:
            info = known.get(name)
            typed = info is not None and info.type.tensor_type.elem_type
            model.graph.output.append(info if typed else onnx.helper.make_tensor_value_info(name, FLOAT, None))
        return ir.from_proto(model)


def compute(model: ir.Model, arrays, check: bool = True) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    proto = ir.to_proto(model)
    if check:
        onnx.checker.check_model(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, arrays)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def lenet(last: bool) -> ir.Model:
    """LeNet-4 as an exporter of an N H W C framework writes it (a Transpose around each op), or plainly."""
    graph = Graph()
    value = graph.input("x", ["N", 28, 28, 1] if last else ["N", 1, 28, 28])

    def first(name):
        return graph.transpose(name, 0, 3, 1, 2) if last else name

    def back(name):
        return graph.transpose(name, 0, 2, 3, 1) if last else name

    channels = 1
    for number, features in enumerate((6, 16), 1):
        kernel = graph.weight(scaled(features, channels, 5, 5, inputs=25 * channels), f"conv{number}/kernel")
        bias = graph.weight(weights(features), f"conv{number}/bias")
        value = back(graph("Conv", first(value), kernel, bias, kernel_shape=[5, 5], pads=[2] * 4, name=f"conv{number}"))
        value = graph("Relu", value)
        value = back(graph("MaxPool", first(value), kernel_shape=[2, 2], strides=[2, 2]))
        channels = features
    value = graph("Flatten", value)
    value = graph(
        "Gemm", value, graph.weight(scaled(784, 84, inputs=784), "fc1/kernel"), graph.weight(weights(84), "fc1/bias")
    )
    value = graph("Relu", value)
    value = graph(
        "Gemm", value, graph.weight(scaled(84, 10, inputs=84), "fc2/kernel"), graph.weight(weights(10), "fc2/bias")
    )
    return graph.model(graph("Softmax", value))


def vgg(last: bool) -> ir.Model:
    """Two blocks as VGG has them, with a residual join, a concat, a Pad, BatchNormalization and global pooling."""
    graph = Graph()
    value = graph.input("x", ["N", 8, 8, 3] if last else ["N", 3, 8, 8])
    axis = 3 if last else 1

    def wrapped(op, name, *rest, **attributes):
        inner = graph.transpose(name, 0, 3, 1, 2) if last else name
        made = graph(op, inner, *rest, **attributes)
        return graph.transpose(made, 0, 2, 3, 1) if last else made

    def conv(name, into, out):
        return wrapped("Conv", name, weights(out, into, 3, 3), weights(out), pads=[1] * 4)

    def vector(size):
        return weights(size) if last else weights(size).reshape(size, 1, 1)

    value = graph("Relu", conv(value, 3, 4))
    branch = graph("Relu", conv(value, 4, 4))
    value = graph("Add", value, branch)
    value = graph("Mul", value, vector(4))
    value = graph("Concat", value, branch, axis=axis)
    value = wrapped("BatchNormalization", value, weights(8), weights(8), weights(8), np.abs(weights(8)) + 1)
    value = graph("Pad", value, np.array([0, 1, 2, 0, 0, 2, 1, 0] if last else [0, 0, 1, 2, 0, 0, 2, 1], np.int64))
    value = graph("PRelu", value, vector(8))
    value = wrapped("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
    pooled = graph("ReduceMean", value, np.array([1, 2] if last else [2, 3], np.int64), keepdims=1)
    value = graph("Mul", value, graph("Sigmoid", pooled))
    value = wrapped("AveragePool", value, kernel_shape=[2, 2], strides=[1, 1])
    value = graph("Flatten", value)
    value = graph("Dropout", graph("Relu", graph("Gemm", value, weights(128, 6), weights(6))))
    return graph.model(graph("LogSoftmax", graph("MatMul", value, weights(6, 5))))
