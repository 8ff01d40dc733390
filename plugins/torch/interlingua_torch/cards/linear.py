"""Dense layers and matrix products."""

from interlingua.adapters import flag, same
from interlingua.cards import Kind, Slot, card


CARDS = (
    card(
        "Gemm",
        "torch.nn.Linear",
        kind=Kind.LAYER,
        inputs={"A": "input"},
        weights={"B": Slot("weight", "O I"), "C": Slot("bias")},
        implied={"transB": 1},
        in_features=same("in_features", positional=True),
        out_features=same("out_features", positional=True),
        has_bias=flag("bias", True),
        ignored=("device", "dtype"),
        traits={"bias": "on by default"},
    ),
    card(
        "Gemm",
        "torch.nn.functional.linear",
        write=False,
        inputs={"A": "input", "B": Slot("weight", "O I"), "C": Slot("bias", default=None)},
        implied={"transB": 1},
    ),
    card("MatMul", "torch.matmul", kind=Kind.OPERATOR, operator="@", inputs={"A": "input", "B": "other"}),
)
