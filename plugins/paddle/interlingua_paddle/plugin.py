"""What the plugin brings: Paddle 3, read from its saved programs and written as layers."""

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

_RUNTIME = Runtime(
    name="paddle",
    title="PaddlePaddle 3",
    script="interlingua_paddle/runtime.py",
    python=">=3.11",
    requirements=("paddlepaddle==3.3.1", "safetensors>=0.5"),
    imports=("paddle", "safetensors"),
)
_SAVED = Format(
    name="paddle",
    title="Paddle inference model (PIR .json and .pdiparams)",
    recognise="interlingua_paddle.frontend.recognise:recognise",
    reader="interlingua_paddle.frontend.read:read",
    runtime="paddle",
    inspector="interlingua_paddle.frontend.inspect:inspect",
)


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """Paddle alone; Fluid has a plugin of its own."""
    return (
        Framework(
            name="paddle",
            title="PaddlePaddle",
            aliases=("paddlepaddle",),
            runtimes=(_RUNTIME,),
            formats=(_SAVED,),
            backend=Backend(
                writer="interlingua_paddle.backend:write", natives=("paddle",), runtime="paddle", data_axes="N C *"
            ),
            cards="interlingua_paddle.cards",
        ),
    )
