"""Dense layers and matrix products."""

from interlingua.adapters import same, told_otherwise
from interlingua.cards import Facts, Fixed, Kind, Slot, card
from interlingua_paddle.cards.convolution import BIAS

_TURNED = told_otherwise("the weight is kept as in and out")


def _owns_its_weights(facts: Facts) -> bool:
    bias = facts.shapes.get("C")
    return "B" in facts.constants and (bias is None or ("C" in facts.constants and len(bias) == 1))


def _equal_batches(facts: Facts) -> bool:
    left, right = facts.shapes.get("A") or (), facts.shapes.get("B") or ()
    return len(left) == len(right) == 3 and left[0] == right[0]


CARDS = (
    card(
        "Gemm",
        "paddle.nn.Linear",
        kind=Kind.LAYER,
        when=_owns_its_weights,
        inputs={"A": "x"},
        weights={"B": Slot("weight", "I O"), "C": Slot("bias")},
        in_features=same("in_features", positional=True),
        out_features=same("out_features", positional=True),
        transB=_TURNED,
        has_bias=BIAS,
        ignored=("weight_attr", "name"),
        traits={"bias": "on by default"},
    ),
    card(
        "Gemm",
        "paddle.nn.functional.linear",
        write=False,
        inputs={"A": "x", "B": Slot("weight", "I O"), "C": Slot("bias", default=None)},
        ignored=("name",),
        traits={"bias": "off by default"},
    ),
    card(
        "Gemm",
        "paddle.addmm",
        aliases=("paddle.Tensor.addmm",),
        write=False,
        inputs={"C": "input", "A": "x", "B": Slot("y", "I O")},
        alpha=same("alpha", 1.0),
        beta=same("beta", 1.0),
        ignored=("name",),
    ),
    card(
        "MatMul",
        "paddle.matmul",
        kind=Kind.OPERATOR,
        operator="@",
        inputs={"A": "x", "B": "y"},
        fixed={"transpose_x": Fixed(False, False), "transpose_y": Fixed(False, False)},
        aliases=("paddle.Tensor.matmul",),
        ignored=("name", "out"),
    ),
    card(
        "MatMul",
        "paddle.bmm",
        write=False,
        when=_equal_batches,
        limits=("other than three axes, or batches of different sizes",),
        aliases=("paddle.Tensor.bmm",),
        inputs={"A": "x", "B": "y"},
        ignored=("name", "out"),
    ),
    card(
        "MatMul",
        "paddle.mm",
        write=False,
        inputs={"A": "input", "B": "mat2"},
        aliases=("paddle.Tensor.mm",),
        ignored=("name",),
    ),
)
