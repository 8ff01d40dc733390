"""Dense layers and matrix products."""

from interlingua.adapters import flag, same
from interlingua.cards import Facts, Kind, Slot, card
from interlingua_keras.cards.forms import ACTIVATION, told, trained


def _weights_are_constant(facts: Facts) -> bool:
    return "B" in facts.constants and ("C" not in facts.shapes or "C" in facts.constants)


CARDS = (
    card(
        "Gemm",
        "keras.layers.Dense",
        kind=Kind.LAYER,
        when=_weights_are_constant,
        inputs={"A": "inputs"},
        weights={"B": Slot("kernel", "I O"), "C": Slot("bias")},
        out_features=same("units", positional=True),
        has_bias=flag("use_bias", True),
        transB=told("transB", "the kernel is kept as I O"),
        ignored=(*trained("kernel", "bias"), ACTIVATION, "lora_rank", "lora_alpha", "quantization_config"),
        traits={
            "bias": "on by default",
            "input": "of any rank, over its last axis",
            "activation": "may be fused by name",
        },
    ),
    card("MatMul", "keras.ops.matmul", kind=Kind.OPERATOR, operator="@", inputs={"A": "x1", "B": "x2"}),
)
