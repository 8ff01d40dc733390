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


def _format(name: str, title: str, reader: str = "read_module", inspector: str = "") -> Format:
    """A format of PyTorch's own that stands on disk, or whose name can be imported."""
    return Format(
        name,
        title,
        "interlingua_torch.frontend.recognise:recognise",
        reader=f"interlingua_torch.frontend.reader:{reader}",
        runtime="torch",
        inspector=inspector,
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
                _format(
                    "torch-export",
                    "a PyTorch exported program (.pt2)",
                    "read",
                    "interlingua_torch.frontend.inspect:inspect",
                ),
                _format("torchscript", "a TorchScript module (.pt)"),
                _format("torch-pickle", "a pickled PyTorch module (.pt, with --trust)"),
                _format("torch-factory", "an importable factory of a PyTorch module (package.module:factory)"),
                Format(
                    "torch-module",
                    "a PyTorch module or exported program in memory",
                    reader="interlingua_torch.frontend.memory:read",
                    accepts="interlingua_torch.frontend.recognise:accepts",
                ),
            ),
            backend=Backend(
                "interlingua_torch.backend:write", natives=("torch-export", "torchscript"), runtime="torch"
            ),
            cards="interlingua_torch.cards",
        ),
    )
