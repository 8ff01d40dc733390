"""Dense layers and matrix products."""

from interlingua.adapters import same
from interlingua.cards import Facts, Fixed, Kind, Slot, card
from interlingua_fluid.cards.forms import operator, switch


def _owned(facts: Facts) -> bool:
    return "B" in facts.constants and ("C" not in facts.shapes or "C" in facts.constants)


def _same_batches(facts: Facts) -> bool:
    left, right = facts.shapes.get("A"), facts.shapes.get("B")
    if left is None or right is None or len(right) <= 2:
        return right is not None and len(right) <= 2
    pairs = list(zip(left[:-2], right[:-2], strict=False))
    return len(left) == len(right) and all(a == b or not (isinstance(a, int) or isinstance(b, int)) for a, b in pairs)


_UNSCALED = {"alpha": Fixed(1.0, 1.0)}

CARDS = (
    card(
        "Gemm",
        "paddle.fluid.layers.fc",
        when=_owned,
        inputs={"A": "input"},
        weights={"B": Slot("param_attr", "I O"), "C": Slot("bias_attr")},
        out_features=same("size", positional=True),
        has_bias=switch("bias_attr"),
        fixed={"num_flatten_dims": Fixed(1, 1)},
        implied={"transB": 0},
        ignored=("act", "name"),
        traits={"bias": "on by default", "input": "flattened from num_flatten_dims on"},
    ),
    card(
        "Gemm",
        "paddle.fluid.dygraph.Linear",
        kind=Kind.LAYER,
        write=False,
        when=_owned,
        inputs={"A": "input"},
        weights={"B": Slot("weight", "I O"), "C": Slot("bias")},
        in_features=same("input_dim", positional=True),
        out_features=same("output_dim", positional=True),
        has_bias=switch("bias_attr"),
        ignored=("param_attr", "act", "dtype"),
        traits={"bias": "on by default"},
    ),
    operator(
        "Gemm",
        "mul",
        inputs={"A": "X"},
        weights={"B": Slot("Y", "I O")},
        fixed={"x_num_col_dims": Fixed(1, 1), "y_num_col_dims": Fixed(1, 1)},
        remark="Both inputs are flattened to matrices, x from x_num_col_dims on.",
    ),
    operator(
        "Gemm",
        "fc",
        inputs={"A": "Input"},
        weights={"B": Slot("W", "I O"), "C": Slot("Bias")},
        fixed={
            "in_num_col_dims": Fixed(1, 1),
            "activation_type": Fixed("", ""),
            "padding_weights": Fixed(False, False),
        },
        ignored=("@ALL_KERNELS_MUST_COMPUTE_RUNTIME_SHAPE@",),
    ),
    card(
        "MatMul",
        "paddle.fluid.layers.matmul",
        when=_same_batches,
        inputs={"A": "x", "B": "y"},
        fixed={"transpose_x": Fixed(False, False), "transpose_y": Fixed(False, False), **_UNSCALED},
        ignored=("name",),
        limits=("broadcast batch axes: those of x and y are equal, or y is a matrix",),
    ),
    operator(
        "MatMul",
        "matmul",
        inputs={"A": "X", "B": "Y"},
        fixed={
            "transpose_X": Fixed(False, False),
            "transpose_Y": Fixed(False, False),
            "fused_reshape_Out": Fixed([], []),
            "fused_transpose_Out": Fixed([], []),
            **_UNSCALED,
        },
    ),
)
