"""Paddle Fluid 1.8: what this plugin brings."""

from __future__ import annotations

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

_RECOGNISE = "interlingua_fluid.frontend.folder:recognise"
_READER = "interlingua_fluid.frontend.reader:read"
_INSPECTOR = "interlingua_fluid.frontend.inspection:inspect"

RUNTIME = Runtime(
    name="fluid",
    title="Paddle Fluid 1.8.5",
    script="interlingua_fluid/runtime.py",
    python=">=3.7,<3.9",
    requirements=("paddlepaddle==1.8.5", "protobuf<3.21", "numpy<1.22", "safetensors<0.5"),
    imports=("paddle", "numpy", "safetensors"),
)


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """Fluid: inference models in both layouts, and programs written as Python."""
    return (
        Framework(
            name="fluid",
            title="Paddle Fluid",
            aliases=("paddle-fluid",),
            runtimes=(RUNTIME,),
            formats=(
                Format(
                    "fluid",
                    "Fluid inference model (`__model__` and a file for each variable)",
                    recognise=_RECOGNISE,
                    reader=_READER,
                    runtime="fluid",
                    inspector=_INSPECTOR,
                ),
                Format(
                    "fluid-combined",
                    "Fluid inference model (`__model__` and `__params__`)",
                    recognise=_RECOGNISE,
                    reader=_READER,
                    runtime="fluid",
                    inspector=_INSPECTOR,
                ),
            ),
            backend=Backend("interlingua_fluid.backend:write", natives=("fluid", "fluid-combined"), runtime="fluid"),
            cards="interlingua_fluid.cards",
        ),
    )
