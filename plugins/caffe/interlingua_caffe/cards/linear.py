"""Dense layers."""

from interlingua.adapters import flag, same
from interlingua.cards import Facts, Fixed, Slot
from interlingua_caffe.cards.forms import layer


def _weights_are_constant(facts: Facts) -> bool:
    return "B" in facts.constants and ("C" not in facts.shapes or "C" in facts.constants)


CARDS = (
    layer(
        "Gemm",
        "InnerProduct",
        {"A": "bottom[0]"},
        when=_weights_are_constant,
        weights={"B": Slot("blobs[0]", "O I"), "C": Slot("blobs[1]", default=None)},
        implied={"transB": 1},
        out_features=same("inner_product_param.num_output"),
        has_bias=flag("inner_product_param.bias_term", True),
        fixed={"inner_product_param.axis": Fixed(1, 1), "inner_product_param.transpose": Fixed(False, False)},
        ignored=("inner_product_param.weight_filler", "inner_product_param.bias_filler"),
        traits={"bias": "on by default", "input": "flattened from axis on"},
    ),
)
