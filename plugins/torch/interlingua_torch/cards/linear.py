"""Dense layers and matrix products."""

from collections.abc import Callable

from interlingua.adapters import flag, same, told_otherwise
from interlingua.cards import Facts, Kind, Slot, card

_TURNED = told_otherwise("the weight is kept as out and in")


def _one_bias_a_column(facts: Facts) -> bool:
    """Whether there is no bias, or one number for each output."""
    bias = facts.shapes.get("C")
    return bias is None or tuple(bias) == (facts.get("out_features"),)


def _of_rank(rank: int) -> Callable[[Facts], bool]:
    """Whether both factors have that many axes, and a batch axis is not broadcast."""

    def holds(facts: Facts) -> bool:
        shapes = [facts.shapes.get(name) or () for name in ("A", "B")]
        return all(len(shape) == rank for shape in shapes) and shapes[0][:-2] == shapes[1][:-2]

    return holds


CARDS = (
    card(
        "Gemm",
        "torch.nn.Linear",
        kind=Kind.LAYER,
        when=_one_bias_a_column,
        inputs={"A": "input"},
        weights={"B": Slot("weight", "O I"), "C": Slot("bias")},
        in_features=same("in_features", positional=True),
        out_features=same("out_features", positional=True),
        transB=_TURNED,
        has_bias=flag("bias", True),
        ignored=("device", "dtype"),
        traits={"bias": "on by default"},
    ),
    card(
        "Gemm",
        "torch.nn.functional.linear",
        when=_one_bias_a_column,
        inputs={"A": "input", "B": Slot("weight", "O I"), "C": Slot("bias", default=None)},
        implied={"transB": 1},
        traits={"bias": "off by default"},
    ),
    card(
        "Gemm",
        "torch.addmm",
        write=False,
        inputs={"C": "input", "A": "mat1", "B": "mat2"},
        alpha=same("alpha", 1.0),
        beta=same("beta", 1.0),
        aliases=("torch.Tensor.addmm",),
    ),
    card(
        "MatMul",
        "torch.matmul",
        kind=Kind.OPERATOR,
        operator="@",
        inputs={"A": "input", "B": "other"},
        aliases=("torch.Tensor.matmul",),
    ),
    card(
        "MatMul",
        "torch.mm",
        write=False,
        when=_of_rank(2),
        limits=("batches",),
        inputs={"A": "input", "B": "mat2"},
        aliases=("torch.Tensor.mm",),
    ),
    card(
        "MatMul",
        "torch.bmm",
        write=False,
        when=_of_rank(3),
        limits=("other than one batch axis", "broadcast batches"),
        inputs={"A": "input", "B": "mat2"},
        aliases=("torch.Tensor.bmm",),
    ),
    card("Det", "torch.linalg.det", inputs={"X": "A"}, aliases=("torch.det", "torch.Tensor.det")),
)
