"""Keras: what the plugin brings. Imports nothing heavy."""

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

RUNTIME = Runtime(
    name="keras",
    title="Keras on TensorFlow",
    script="interlingua_keras/runtime.py",
    python=">=3.10",
    requirements=("keras>=3.10", "tensorflow>=2.18", "h5py>=3.10", "safetensors>=0.5", "numpy>=1.26"),
    imports=("keras", "tensorflow", "safetensors"),
)


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """Keras."""
    return (
        Framework(
            name="keras",
            title="Keras",
            runtimes=(RUNTIME,),
            formats=(
                Format(
                    "keras",
                    "a Keras archive (.keras)",
                    "interlingua_keras.frontend.recognise:archive",
                    reader="interlingua_keras.frontend.reader:read",
                    runtime="keras",
                    inspector="interlingua_keras.frontend.recognise:inspect",
                ),
                Format(
                    "keras-h5",
                    "a whole Keras model in HDF5 (.h5)",
                    "interlingua_keras.frontend.recognise:whole_h5",
                    reader="interlingua_keras.frontend.reader:read",
                    runtime="keras",
                    inspector="interlingua_keras.frontend.recognise:inspect",
                ),
            ),
            backend=Backend(
                "interlingua_keras.backend:write", natives=("keras", "keras-h5"), runtime="keras", data_axes="N * C"
            ),
            cards="interlingua_keras.cards",
        ),
    )
