"""Matrix products; a dense layer is one with its bias added."""

from interlingua.adapters import flag
from interlingua.cards import Facts, Fixed, Slot, card
from interlingua_tensorflow.adapters import told_elsewhere

_PLAIN = {
    "adjoint_a": Fixed(False, False),
    "adjoint_b": Fixed(False, False),
    "a_is_sparse": Fixed(False, False),
    "b_is_sparse": Fixed(False, False),
}


def _unscaled(facts: Facts) -> bool:
    return bool(facts["alpha"] == 1 and facts["beta"] == 1)


CARDS = (
    card(
        "Gemm",
        "tf.matmul",
        when=_unscaled,
        inputs={"A": "a"},
        weights={"B": Slot("b", "I O")},
        transA=flag("transpose_a", False),
        transB=told_elsewhere("transB", "the kernel, which is kept with its inputs first"),
        fixed=_PLAIN | {"transpose_b": Fixed(False, False)},
        aliases=("tf.linalg.matmul",),
        ignored=("name", "output_type", "grad_a", "grad_b"),
        limits=("a bias, which is added behind", "an alpha or beta other than 1"),
        traits={"bias": "none"},
    ),
    card(
        "Gemm",
        "tf.nn.xw_plus_b",
        versions="<2",
        write=False,
        inputs={"A": "x", "B": Slot("weights", "I O"), "C": Slot("biases")},
        aliases=("tf.compat.v1.nn.xw_plus_b",),
        ignored=("name",),
        has_bias=told_elsewhere("(bias)", "it always has one"),
    ),
    card(
        "MatMul",
        "tf.matmul",
        inputs={"A": "a", "B": "b"},
        fixed={"transpose_a": Fixed(False, False), "transpose_b": Fixed(False, False), **_PLAIN},
        aliases=("tf.linalg.matmul",),
        ignored=("name", "output_type", "grad_a", "grad_b"),
        limits=("less than two axes each",),
    ),
)
