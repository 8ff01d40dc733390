"""Sound models to mutate, and models that grow, turn in circles or contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

_HEAD = '<ir_version: 8, opset_import: ["": 17]>'

SEEDS = {
    "convolution": f"""{_HEAD} g (float[N, 2, 8, 8] x) => (float[N, 3] y)
        <float[3, 2, 3, 3] w = {{{", ".join(["0.5"] * 54)}}}, int64[2] s = {{0, -1}},
         float[48, 3] v = {{{", ".join(["1"] * 144)}}}>
        {{ a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)  b = Relu (a)  c = Reshape (b, s)
          y = MatMul (c, v) }}""",
    "choice": f"""{_HEAD} g (bool c, float[4] x) => (float[4] y) {{
        y = If (c) <then_branch = t () => (float[4] a) {{ a = Neg (x) }}, else_branch = e () => (float[4] b) {{
            two = Constant <value = float {{2}}> ()  b = Mul (x, two) }}> }}""",
    "loop": f"""{_HEAD} g (int64 n, bool c, float[4] x) => (float[4] y, float[K, 4] z) {{
        y, z = Loop (n, c, x) <body = b (int64 i, bool go, float[4] s) => (bool on, float[4] t, float[4] o) {{
            on = Identity (go)  t = Add (s, x)  o = Relu (t) }}> }}""",
    "functions": """<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[2, 4] x) => (float[2, 4] y) {
        a = own.Twice <alpha = 0.3> (x)  y = own.Once (a) }
        <domain: "own", opset_import: ["": 17, "own": 1]> Twice <alpha> (p) => (q) {
            r = LeakyRelu <alpha: float = @alpha> (p)
            q = own.Once (r) }
        <domain: "own", opset_import: ["": 17]> Once (p) => (q) { q = Softmax <axis = 1> (p) }""",
    "shapes": f"""{_HEAD} g (float[N, 3, H, W] x) => (float[A, B] y)
        <int64 zero = {{0}}, int64[1] rest = {{-1}}, int64[1] axis = {{0}}> {{ s = Shape (x)
          n = Gather <axis = 0> (s, zero)  m = Unsqueeze (n, axis)
          t = Concat <axis = 0> (m, rest)  y = Reshape (x, t) }}""",
    "old": """<ir_version: 3, opset_import: ["": 7]> g (float[1, 4, 4, 4] x) => (float[1, 4, 8, 8] y) {
        a = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)  b = Softmax (a)  y = Clip <min = 0.0, max = 1.0> (b) }""",
    "sequence": f"""{_HEAD} g (float[2, 4] x) => (float[4, 4] y) {{
        s = SequenceConstruct (x, x)  y = ConcatFromSequence <axis = 0> (s) }}""",
    "quantized": f"""{_HEAD} g (float[2, 4] x) => (float[2, 4] y) <float s = {{0.1}}, uint8 z = {{3}}> {{
        q = QuantizeLinear (x, s, z)  y = DequantizeLinear (q, s, z) }}""",
}


def model(*nodes: NodeProto, initializers: list[TensorProto] | None = None, opset: int = 17) -> onnx.ModelProto:
    """A model from `x` to `y`, both of floats, of the nodes."""
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [32, 32])]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(list(nodes), "g", infos, ends, initializers or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _tensor(name: str, values: object, dtype: type[np.generic] = np.int64) -> TensorProto:
    return onnx.numpy_helper.from_array(np.asarray(values, dtype), name)


def bombs() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Models that are small and want to be large, endless or impossible."""
    yield from _growing()
    yield from _calling()
    yield from _contradicting()
    yield from _many()


def _growing() -> Iterator[tuple[str, onnx.ModelProto]]:
    huge = 1 << 40
    end = helper.make_node("Add", ["x", "big"], ["y"])
    yield (
        "a constant of a shape of 2^80",
        model(helper.make_node("ConstantOfShape", ["s"], ["big"]), end, initializers=[_tensor("s", [huge, huge])]),
    )
    yield (
        "a constant of a shape of 2^31",
        model(helper.make_node("ConstantOfShape", ["s"], ["big"]), end, initializers=[_tensor("s", [1 << 31])]),
    )
    sizes: tuple[tuple[Any, ...], ...] = (
        ("Expand", ("a", [1.0], np.float32), ("s", [huge])),
        ("Tile", ("a", [1.0, 2.0], np.float32), ("s", [huge])),
        ("Range", ("a", 0), ("b", huge), ("c", 1)),
        ("Range", ("a", 0), ("b", huge), ("c", 0)),
        ("Pad", ("a", [1.0], np.float32), ("s", [huge, 0])),
        ("OneHot", ("i", [0]), ("d", huge), ("v", [0.0, 1.0], np.float32)),
        ("HannWindow", ("s", huge)),
        ("BlackmanWindow", ("s", 1 << 33)),
        ("Resize", ("a", [[[1.0]]], np.float32), ("r", [], np.float32), ("s", [1, 1, 1e12], np.float32)),
        (
            "MelWeightMatrix",
            ("a", 1 << 30),
            ("b", 1 << 30),
            ("c", 8192),
            ("d", 0.0, np.float32),
            ("e", 4e3, np.float32),
        ),
        ("Mul", ("a", np.ones((60_000, 1)), np.float32), ("b", np.ones((1, 60_000)), np.float32)),
        ("MatMul", ("a", np.ones((60_000, 1)), np.float32), ("b", np.ones((1, 60_000)), np.float32)),
        ("CenterCropPad", ("a", [1.0], np.float32), ("s", [huge])),
        ("TopK", ("a", [1.0], np.float32), ("s", [huge])),
        ("Split", ("a", [1.0], np.float32), ("s", [huge])),
        ("Gather", ("a", [1.0], np.float32), ("s", [huge])),
        ("Slice", ("a", [1.0], np.float32), ("b", [0]), ("c", [huge]), ("d", [0]), ("e", [0])),
        ("Reshape", ("a", [1.0], np.float32), ("s", [-1, -1, huge, 0])),
    )
    for op, *inputs in sizes:
        given = [_tensor(each[0], each[1], each[2] if len(each) > 2 else np.int64) for each in inputs]
        node = helper.make_node(op, [each.name for each in given], ["big"])
        cast = helper.make_node("Cast", ["big"], ["float"], to=TensorProto.FLOAT)
        last = helper.make_node("Add", ["x", "float"], ["y"])
        yield f"{op} of constants to a huge size", model(node, cast, last, initializers=given, opset=18)
    indices, values = _tensor("", [0, 1]), _tensor("w", [1.0, 2.0], np.float32)
    for dims in ([huge, huge], [1 << 33], [-1, 4], [2, 2]):
        proto = model(helper.make_node("Add", ["x", "w"], ["y"]))
        sparse = proto.graph.sparse_initializer.add()
        sparse.values.CopyFrom(values)
        sparse.indices.CopyFrom(indices)
        sparse.dims.extend(dims)
        yield f"a sparse weight of shape {dims}", proto
    outside = onnx.ModelProto.FromString(proto.SerializeToString())
    outside.graph.sparse_initializer[0].indices.CopyFrom(_tensor("", [0, 99]))
    yield "a sparse weight with a place outside", outside


def _calling() -> Iterator[tuple[str, onnx.ModelProto]]:
    def calls(bodies: list[list[str]]) -> onnx.ModelProto:
        """Function i calls the named others one after the other."""
        proto = model(helper.make_node("f0", ["x"], ["y"], domain="own"))
        proto.opset_import.add(domain="own", version=1)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        for index, called in enumerate(bodies):
            names = ["a", *(f"v{i}" for i in range(1, len(called))), "b"]
            nodes = [
                helper.make_node(op, [names[i]], [names[i + 1]], domain="own" if op.startswith("f") else "")
                for i, op in enumerate(called)
            ]
            proto.functions.append(helper.make_function("own", f"f{index}", ["a"], ["b"], nodes, opsets))
        return proto

    yield "a function that calls itself", calls([["f0"]])
    yield "functions in a circle", calls([["f1"], ["f2"], ["f0"]])
    yield "functions that double forty times", calls([*([f"f{i + 1}"] * 2 for i in range(40)), ["Relu"]])
    yield "functions that double ten times", calls([*([f"f{i + 1}"] * 2 for i in range(10)), ["Relu"]])
    yield "two thousand functions in a row", calls([*([f"f{i + 1}"] for i in range(2000)), ["Relu"]])
    yield "a function that calls one that is not there", calls([["f7"]])


def _contradicting() -> Iterator[tuple[str, onnx.ModelProto]]:
    node = helper.make_node
    yield (
        "two nodes in a circle",
        model(node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Neg", ["a"], ["y"])),
    )
    yield "a node that reads itself", model(node("Add", ["x", "y"], ["y"]))
    yield "a value nobody computes", model(node("Relu", ["nobody"], ["y"]))
    yield "an output nobody computes", model(node("Relu", ["x"], ["z"]))
    yield "one value computed twice", model(node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"]))
    yield "an initializer that a node computes", model(node("Relu", ["x"], ["y"]), initializers=[_tensor("y", [1.0])])
    yield "an initializer without a name", model(node("Relu", ["x"], ["y"]), initializers=[_tensor("", [1.0])])
    yield (
        "one initializer twice",
        model(
            node("Add", ["x", "w"], ["y"]),
            initializers=[_tensor("w", [1.0], np.float32), _tensor("w", [2.0], np.float32)],
        ),
    )
    large = _tensor("w", np.ones(5000), np.float32)
    yield "one large initializer twice", model(node("Add", ["x", "w"], ["y"]), initializers=[large, large])
    yield "an operator without a name", model(node("", ["x"], ["y"]))
    yield "no nodes at all", model()
    yield "a Constant that says nothing", model(node("Constant", [], ["c"]), node("Add", ["x", "c"], ["y"]))
    yield "a Cast to a type that is not there", model(node("Cast", ["x"], ["y"], to=99))
    yield "a Cast to nothing", model(node("Cast", ["x"], ["y"]))
    yield "a Transpose of an axis that is not there", model(node("Transpose", ["x"], ["y"], perm=[0, 7]))
    yield "a Concat without inputs", model(node("Concat", [], ["y"], axis=0))
    yield "a Conv without a kernel", model(node("Conv", ["x"], ["y"], auto_pad="SAME_UPPER"))
    yield "an If without branches", model(node("If", ["x"], ["y"]))
    yield (
        "an unknown padding",
        model(node("MaxPool", ["x"], ["y"], kernel_shape=[0, -1], auto_pad="ODD", strides=[0, 0])),
    )
    for op in (
        "Add",
        "Conv",
        "Gemm",
        "Loop",
        "Scan",
        "LSTM",
        "Split",
        "Resize",
        "BatchNormalization",
        "Squeeze",
        "Attention",
    ):
        yield f"{op} without inputs and outputs", model(node(op, [], []), node("Relu", ["x"], ["y"]))
    wrong = model(node("Relu", ["x"], ["y"]))
    wrong.graph.input[0].type.Clear()
    yield "an input without a type", wrong
    maps = model(node("Relu", ["x"], ["y"]))
    maps.graph.input[0].type.map_type.key_type = TensorProto.STRING
    yield "a map without values", maps
    deep = model(node("Identity", ["x"], ["y"]))
    kind = deep.graph.input[0].type
    for _ in range(40):
        kind = kind.sequence_type.elem_type
    kind.tensor_type.elem_type = 1
    yield "a sequence of sequences, forty deep", deep


def _many() -> Iterator[tuple[str, onnx.ModelProto]]:
    busy = helper.make_node("Relu", ["x"], ["y"])
    busy.attribute.extend(helper.make_attribute(f"a{i}", i) for i in range(50_000))
    yield "fifty thousand attributes", model(busy)
    same = helper.make_node("Relu", ["x"], ["y"])
    same.attribute.extend(helper.make_attribute("a", i) for i in range(1000))
    yield "one attribute a thousand times", model(same)
    yield "thirty thousand inputs", model(helper.make_node("Sum", ["x"] * 30_000, ["y"]))
    chain = [helper.make_node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}" if i < 4999 else "y"]) for i in range(5000)]
    yield "a chain of five thousand nodes", model(*chain)
    yield "a chain of five thousand nodes, backwards", model(*chain[::-1])
    yield "a name of a megabyte", model(helper.make_node("Relu", ["x"], ["y"], name="n" * (1 << 20)))
    shared = [helper.make_node("Add", [f"v{i}" if i else "x"] * 2, [f"v{i + 1}" if i < 59 else "y"]) for i in range(60)]
    yield "sixty doublings", model(*shared)
