"""PyTorch: what the plugin brings. Imports nothing heavy."""

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

RUNTIME = Runtime(
    name="torch",
    title="PyTorch",
    script="interlingua_torch/runtime.py",
    python=">=3.10",
    requirements=("torch>=2.9", "safetensors>=0.5", "numpy>=1.26", "onnx>=1.21", "onnxscript>=0.7"),
    imports=("torch", "safetensors"),
)


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """PyTorch."""
    return (
        Framework(
            name="torch",
            title="PyTorch",
            aliases=("pytorch",),
            runtimes=(RUNTIME,),
            formats=(
                Format(
                    "torch-export",
                    "a PyTorch exported program (.pt2)",
                    "interlingua_torch.frontend.recognise:exported_program",
                    reader="interlingua_torch.frontend.reader:read",
                    runtime="torch",
                    inspector="interlingua_torch.frontend.inspect:inspect",
                ),
            ),
            backend=Backend("interlingua_torch.backend:write", natives=("torch-export",), runtime="torch"),
            cards="interlingua_torch.cards",
        ),
    )
