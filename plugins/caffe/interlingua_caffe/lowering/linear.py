"""Dense layers."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.facts import is_constant, known, shape_of
from interlingua_caffe.lowering.network import Learned, Network, lowers


@lowers("MatMul")
def matrix_product(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `MatMul(A, W)` with a constant W [K, N] as an InnerProduct of A's last axis, without bias."""
    left, right = node.inputs
    weight, data = known(shape_of(right)), shape_of(left)
    if right is None or not is_constant(right) or weight is None or len(weight) != 2 or data is None:
        raise Unsupported("no layer multiplies blobs as matrices")
    said = {"inner_product_param.num_output": weight[1], "inner_product_param.bias_term": False}
    if len(data) != 2:
        said["inner_product_param.axis"] = len(data) - 1
    learned = Learned(Weight(right).then(("transpose", (1, 0))))
    network.for_node(node, "InnerProduct", said, [learned], inputs=[left])
