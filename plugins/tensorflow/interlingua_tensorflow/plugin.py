"""TensorFlow: what the plugin brings. Imports nothing heavy."""

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

RUNTIME = Runtime(
    name="tensorflow",
    title="TensorFlow 2",
    script="interlingua_tensorflow/runtime.py",
    python=">=3.10",
    requirements=("tensorflow>=2.18", "tf2onnx>=1.17", "onnx>=1.21", "safetensors>=0.5", "numpy>=1.26"),
    imports=("tensorflow", "tf2onnx", "safetensors"),
)
RUNTIME_1 = Runtime(
    name="tensorflow1",
    title="TensorFlow 1.15",
    script="interlingua_tensorflow/runtime.py",
    python="==3.7.*",
    requirements=("tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19"),
    imports=("tensorflow",),
)
_FRONTEND = "interlingua_tensorflow.frontend"


def _format(name: str, title: str, recognise: str) -> Format:
    return Format(
        name,
        title,
        f"{_FRONTEND}.recognise:{recognise}",
        reader=f"{_FRONTEND}.reader:read",
        runtime=RUNTIME.name,
        inspector=f"{_FRONTEND}.inspect:inspect",
    )


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """TensorFlow."""
    return (
        Framework(
            name="tensorflow",
            title="TensorFlow",
            aliases=("tf",),
            runtimes=(RUNTIME, RUNTIME_1),
            formats=(
                _format("tensorflow-savedmodel", "a TensorFlow SavedModel", "saved_model"),
                _format("tensorflow-checkpoint", "a TensorFlow 1 checkpoint with its graph", "checkpoint"),
                _format("tensorflow-frozen", "a frozen TensorFlow graph (.pb)", "frozen"),
            ),
            backend=Backend(
                "interlingua_tensorflow.backend:write",
                natives=("tensorflow-savedmodel", "tensorflow-frozen", "tensorflow-checkpoint"),
                runtime=RUNTIME.name,
                data_axes="N * C",
            ),
            cards="interlingua_tensorflow.cards",
        ),
    )
