"""The canonical passes: what each makes of a graph, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.reference
import onnx_ir as ir
import pytest
from passes_graphs import FLOAT, Graph, compute, lenet, operators, vgg, weights

from interlingua import passes
from interlingua.ir import metadata
from interlingua.ir.canonical import NotCanonical, assert_canonical, check
from interlingua.ir.origin import Constant
from interlingua.notes import Notes


def canonical(model: ir.Model) -> ir.Model:
    result = passes.run(model, notes=Notes(), debug=True)
    assert_canonical(result)
    return result


def origins(model: ir.Model) -> dict[str, str]:
    return {name: str(metadata.origin(value)) for name, value in model.graph.initializers.items()}


def shape_input(model: ir.Model, op: str = "Reshape") -> list[int]:
    (node,) = [node for node in model.graph if node.op_type == op]
    return node.inputs[1].const_value.numpy().tolist()


@pytest.mark.parametrize("build", [lenet, vgg])
@pytest.mark.parametrize("last", [True, False])
def test_nets_become_canonical_and_stay_so(build, last):
    model = canonical(build(last))
    text = ir.to_proto(model).SerializeToString()
    assert ir.to_proto(canonical(model)).SerializeToString() == text


def test_every_violation_is_named():
    graph = Graph(17)
    x = graph.input("x", [1, 3, 8, 8])
    value = graph("Conv", x, graph.weight(weights(4, 3, 3, 3), "w"), auto_pad="SAME_UPPER", name="same")
    value = graph("Add", graph("Identity", value, name="same"), graph("Constant", value_float=1.0))
    model = graph.model(value)
    metadata.set_place(model.graph.node(0), "a layer")
    model.graph.node(0).metadata_props["interlingua.unheard"] = "1"
    model.graph.initializers["w"].metadata_props[metadata.ORIGIN] = "transpose("
    said = "\n".join(check(model))
    for part in ("opset is 17", "pads by itself", "does nothing", "2 nodes are named 'same'", "is no initializer"):
        assert part in said
    assert "interlingua.unheard" in said and "malformed" in said
    with pytest.raises(NotCanonical, match="opset is 17"):
        assert_canonical(model)


# constants


def test_a_turned_weight_is_an_expression_and_stays_on_disk():
    graph = Graph()
    x = graph.input("x", ["N", 6])
    weight = graph("Transpose", graph.weight(weights(5, 6), "fc.weight"), perm=[1, 0])
    model = canonical(graph.model(graph("Add", graph("MatMul", x, weight), graph.weight(weights(5), "fc.bias"))))
    assert operators(model) == ["Gemm"]
    assert sorted(origins(model).values()) == ["fc.bias", "transpose(fc.weight, 1, 0)"]
    turned = model.graph.node(0).inputs[1].const_value
    assert isinstance(turned, ir.LazyTensor)
    assert np.array_equal(turned.numpy(), weights(5, 6).T)


def test_parts_and_joins_of_weights():
    graph = Graph()
    x = graph.input("x", [2, 3])
    w = graph.weight(weights(4, 6), "w")
    half = graph("Slice", w, *(np.array([n], np.int64) for n in (0, 3, 1)))
    both = graph("Concat", half, graph.weight(weights(2, 3), "v"), axis=0)
    scaled = graph("Mul", both, np.array(2.0, np.float32))
    model = graph.model(graph("Gemm", x, scaled, transB=1))
    model.graph.initializers["w"].metadata_props[metadata.ORIGIN] = "w"
    for name in model.graph.initializers:
        if name not in ("w", "v"):
            metadata.set_origin(model.graph.initializers[name], Constant(name))
    expected = compute(model, {"x": weights(2, 3)})[0]
    result = canonical(model)
    assert operators(result) == ["Gemm"]
    assert list(origins(result).values()) == ["multiply(concat(slice(w, 1, 0, 3), v, 0), 2.0)"]
    np.testing.assert_allclose(compute(result, {"x": weights(2, 3)})[0], expected, rtol=1e-6)


def test_tied_weights_stay_one():
    """An embedding that is also, transposed, the output layer: one weight, two uses."""
    graph = Graph()
    tokens = graph.input("tokens", ["N"], onnx.TensorProto.INT64)
    table = graph.weight(weights(9, 4), "embedding")
    hidden = graph("Relu", graph("Gather", table, tokens))
    model = canonical(graph.model(graph("MatMul", hidden, graph("Transpose", table, perm=[1, 0]))))
    assert origins(model) == {"embedding": "embedding"}
    assert operators(model) == ["Gather", "Relu", "Gemm"]
    assert model.graph.node(2).attributes["transB"].as_int() == 1


def test_equal_numbers_are_not_one_parameter():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    zeros = [graph.weight(np.zeros(4, np.float32), name) for name in ("a.bias", "b.bias")]
    for bias in zeros:
        x = graph("Relu", graph("Add", x, bias))
    assert sorted(origins(canonical(graph.model(x)))) == ["a.bias", "b.bias"]


def test_one_origin_is_one_initializer():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    names = [graph.weight(weights(4, 4), name) for name in ("shared", "shared_copy")]
    for name in names:
        x = graph("Relu", graph("MatMul", x, name))
    model = graph.model(x)
    for name in names:
        metadata.set_origin(model.graph.initializers[name], "layer.weight")
    result = canonical(model)
    assert list(origins(result).values()) == ["layer.weight"]
    assert len(result.graph) == 4


def test_arithmetic_on_constants_is_done():
    graph = Graph()
    x = graph.input("x", [2, 5])
    steps = graph("Range", *(graph("Constant", value_int=n) for n in (0, 5, 1)))
    wave = graph("Sin", graph("Cast", steps, to=FLOAT))
    model = canonical(graph.model(graph("Add", x, wave)))
    assert operators(model) == ["Add"]
    assert np.allclose(compute(model, {"x": np.zeros((2, 5), np.float32)})[0][0], np.sin(np.arange(5)))


@pytest.mark.parametrize(
    ("entries", "indices", "axis", "wanted"),
    [
        (np.arange(512)[None] * 3, [[0, 2, -1]], 1, [[0, 6, 1533]]),
        (np.arange(10).reshape(2, 5), [[4, 0]], 1, [[4, 0]]),
        (np.arange(10).reshape(5, 2), [[-1, 1]], 0, [[8, 3]]),
    ],
)
def test_constants_are_gathered(entries, indices, axis, wanted):
    """The reference evaluator refuses each of these."""
    graph = Graph()
    table = graph("Constant", value=onnx.numpy_helper.from_array(entries))
    found = graph("GatherElements", table, np.asarray(indices, np.int64), axis=axis)
    x = graph.input("x", ["N", 1], onnx.TensorProto.INT64)
    model = canonical(graph.model(graph("Add", x, found)))
    assert operators(model) == ["Add"]
    constant = next(value for value in model.graph.node(0).inputs if value.const_value is not None)
    assert constant.const_value.numpy().tolist() == wanted


def test_huge_constants_are_not_computed():
    graph = Graph()
    x = graph.input("x", [1])
    made = graph("ConstantOfShape", graph("Constant", value_ints=[1 << 20, 1 << 20]))
    model = passes.run(graph.model(graph("Add", x, made)), notes=Notes())
    assert "ConstantOfShape" in operators(model)


def test_a_constant_output_stays_an_output():
    graph = Graph()
    x = graph.input("x", [2])
    constant = graph("Constant", value_floats=[1.0, 2.0])
    model = canonical(graph.model(graph("Relu", x), constant))
    assert [value.name for value in model.graph.outputs] == ["v2", "v1"]
    assert np.array_equal(compute(model, {"x": np.ones(2, np.float32)})[1], [1, 2])


# shapes


def batch_of(graph, x):
    return graph("Gather", graph("Shape", x), np.array([0], np.int64), axis=0)


def test_the_batch_is_kept_by_a_zero():
    graph = Graph()
    x = graph.input("x", ["N", 4, 6, 2])
    shape = graph("Concat", batch_of(graph, x), np.array([-1, 2], np.int64), axis=0)
    model = canonical(graph.model(graph("Reshape", x, shape)))
    assert operators(model) == ["Reshape"]
    assert shape_input(model) == [0, -1, 2]


def test_a_computed_flatten_is_a_flatten():
    graph = Graph()
    x = graph.input("x", ["batch", 4, 6])
    scalar = graph("Gather", graph("Shape", x), np.array(0, np.int64), axis=0)
    shape = graph("Concat", graph("Unsqueeze", scalar, np.array([0], np.int64)), np.array([-1], np.int64), axis=0)
    model = canonical(graph.model(graph("Reshape", x, shape)))
    assert operators(model) == ["Flatten"]
    assert [str(size) for size in model.graph.outputs[0].shape] == ["batch", "24"]


def test_one_unknown_product_is_minus_one():
    graph = Graph()
    x = graph.input("x", ["N", "T", 6])
    sizes = [graph("Gather", graph("Shape", x), np.array(i, np.int64), axis=0) for i in (0, 1)]
    both = graph("Unsqueeze", graph("Mul", *sizes), np.array([0], np.int64))
    model = canonical(graph.model(graph("Reshape", x, graph("Concat", both, np.array([6], np.int64), axis=0))))
    assert shape_input(model) == [-1, 6]
    assert [str(size) for size in model.graph.outputs[0].shape] == ["N * T", "6"]


def test_what_takes_two_unknowns_is_told_as_expressions():
    graph = Graph()
    x = graph.input("x", ["N", "T", 6])
    y = graph.input("y", [6])
    sizes = [graph("Gather", graph("Shape", x), np.array([i], np.int64), axis=0) for i in (1, 0)]
    half = graph("Div", graph("Add", sizes[0], np.array([1], np.int64)), np.array([2], np.int64))
    shape = graph("Concat", half, sizes[1], np.array([6], np.int64), axis=0)
    model = canonical(graph.model(graph("Expand", y, shape)))
    (node,) = [node for node in model.graph if node.op_type == "Expand"]
    assert metadata.dimensions(node.inputs[1]) == ("(T + 1) // 2", "N", "6")
    found = compute(model, {"x": np.zeros((2, 5, 6), np.float32), "y": np.ones(6, np.float32)})
    assert found[0].shape == (3, 2, 6)


def test_unnamed_dimensions_get_names():
    graph = Graph()
    x = graph.input("x", [None, 3, None])
    model = canonical(graph.model(graph("Relu", x)))
    assert [str(size) for size in model.graph.inputs[0].shape] == ["N", "3", "x_2"]
    assert [str(size) for size in model.graph.outputs[0].shape] == ["N", "3", "x_2"]


def test_sizes_of_known_shapes_are_constants():
    graph = Graph()
    x = graph.input("x", ["N", 4, 6])
    tail = graph("Slice", graph("Shape", x), *(np.array([n], np.int64) for n in (1, 3, 0)))
    model = canonical(graph.model(graph("Mul", x, graph("Cast", graph("ReduceProd", tail), to=FLOAT))))
    assert operators(model) == ["Mul"]


# padding

WINDOWS = [
    (op, mode, size, kernel, stride, dilation)
    for op in ("Conv", "MaxPool", "AveragePool", "ConvTranspose")
    for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")
    for size, kernel, stride, dilation in [
        (7, 3, 2, 1),
        (8, 3, 2, 1),
        (6, 2, 1, 1),
        (9, 3, 1, 2),
        (5, 1, 2, 1),
        (7, 4, 3, 1),
    ]
    if (dilation == 1 or op == "Conv") and (kernel >= stride or op == "Conv")
]


@pytest.mark.parametrize(("op", "mode", "size", "kernel", "stride", "dilation"), WINDOWS)
def test_automatic_padding_is_spelled_out(op, mode, size, kernel, stride, dilation):
    graph = Graph(11)
    x = graph.input("x", [2, 3, size, size + 1])
    attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "auto_pad": mode}
    if dilation > 1:
        attributes["dilations"] = [dilation] * 2
    rest = [weights(3, 3, kernel, kernel)] if op.startswith("Conv") else []
    model = graph.model(graph(op, x, *rest, **attributes))
    array = np.random.default_rng(2).normal(size=(2, 3, size, size + 1)).astype(np.float32)
    if dilation > 1 and mode != "VALID":  # onnxruntime refuses it
        (expected,) = onnx.reference.ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": array})
    else:
        (expected,) = compute(model, {"x": array})
    result = canonical(model)
    (node,) = result.graph
    assert "auto_pad" not in node.attributes
    (found,) = compute(result, {"x": array})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_padding_that_depends_on_an_unknown_size_stays():
    graph = Graph()
    x = graph.input("x", [1, 3, "H", "W"])
    value = graph("Conv", x, weights(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3])
    model = canonical(
        graph.model(graph("Conv", value, weights(4, 4, 3, 3), auto_pad="SAME_UPPER", kernel_shape=[3, 3]))
    )
    assert ["auto_pad" in node.attributes for node in model.graph] == [True, False]
    assert list(model.graph.node(1).attributes["pads"].as_ints()) == [1, 1, 1, 1]


# spelling


def test_dense_layers_are_gemm():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    value = graph("Add", graph.weight(weights(1, 3), "bias"), graph("MatMul", x, weights(4, 3)))
    value = graph("Add", graph("MatMul", value, weights(3, 2)), weights(1))
    model = canonical(graph.model(value))
    assert operators(model) == ["Gemm", "Gemm", "Add"]
    assert origins(model)[model.graph.node(0).inputs[2].name] == "reshape(bias, 3)"


def test_a_product_of_higher_rank_is_no_dense_layer():
    graph = Graph()
    x = graph.input("x", ["N", 7, 4])
    model = canonical(graph.model(graph("Add", graph("MatMul", x, weights(4, 3)), weights(3))))
    assert operators(model) == ["MatMul", "Add"]


def test_a_product_that_is_used_twice_keeps_its_bias_apart():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    product = graph("MatMul", x, weights(4, 4))
    model = canonical(graph.model(graph("Mul", graph("Add", product, weights(4)), product)))
    assert operators(model) == ["Gemm", "Add", "Mul"]


def test_nodes_are_named_after_their_layers():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    value = graph("Relu", graph("Relu", graph("Relu", x, name="act"), name="act"))
    model = graph.model(value)
    metadata.set_place(model.graph.node(2), "head/relu")
    result = canonical(model)
    names = [node.name for node in result.graph]
    assert names[0] == "act" and names[2] == "head/relu"
    assert len(set(names)) == 3


def test_names_that_an_exporter_made_up_give_way_to_those_of_weights():
    graph = Graph()
    tokens = graph.input("tokens", ["N", 7], onnx.TensorProto.INT64)
    value = graph("Gather", graph.weight(weights(9, 4), "words.weight"), tokens, name="node_embedding_3")
    value = graph("MatMul", value, graph.weight(weights(4, 5), "val_7"), name="node_MatMul_9")
    value = graph("Add", value, graph.weight(weights(5), "head.labels.bias"), name="node_linear")
    value = graph("Mul", value, graph.weight(weights(5), "scale.weight"), name="said")
    value = graph("Add", graph("Relu", value, name="node_relu"), graph.weight(weights(5), "shift"), name="node_add")
    names = [node.name for node in canonical(graph.model(value)).graph]
    assert names == ["words", "head.labels", "head.labels/Add", "said", "node_relu", "node_add"]


def test_preconditions_are_checked_under_debug():
    class Breaks(passes.Pass):
        """Leaves a duplicate."""

        def transform(self, model: ir.Model) -> bool:
            return True

        def ensures(self, model: ir.Model) -> None:
            raise ir.passes.PostconditionError("broken on purpose")

    model = lenet(False)
    passes.run(model, (Breaks,), notes=Notes())
    with pytest.raises(ir.passes.PostconditionError, match="on purpose"):
        passes.run(model, (Breaks,), notes=Notes(), debug=True)


@pytest.mark.parametrize(("folds", "wanted"), [(False, 1), (True, 3)], ids=["nothing", "a shape"])
def test_shapes_are_inferred_again_only_where_the_graph_changed(folds, wanted, monkeypatch):
    """Once for what stays; where a computed shape is resolved and what computed it is gone, again after either."""
    infer, runs = onnx.shape_inference.infer_shapes, []

    def counted(proto, **options):
        runs.append(options.get("data_prop", False))
        return infer(proto, **options)

    graph = Graph(26)
    x = graph.input("x", ["N", 4, 6])
    y = graph("Relu", graph("Softmax", x, axis=-1))
    y = graph("Reshape", y, graph("Shape", x)) if folds else y
    model = graph.model(graph("Tanh", y))
    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", counted)
    passes.run(model, notes=Notes())
    assert len(runs) - runs.count(True) == wanted
    assert [str(size) for size in model.graph.outputs[0].shape] == ["N", "4", "6"]
