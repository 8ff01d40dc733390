"""Caffe: what the plugin brings. Imports nothing heavy."""

from interlingua.plugin import Backend, Format, Framework, Runtime, hookimpl

RUNTIME = Runtime(
    name="caffe",
    title="Caffe in OpenCV",
    script="interlingua_caffe/runtime.py",
    python=">=3.10",
    requirements=("opencv-python-headless==4.14.0.94", "numpy>=1.26"),
    imports=("cv2",),
)


@hookimpl
def frameworks() -> tuple[Framework, ...]:
    """Caffe."""
    return (
        Framework(
            name="caffe",
            title="Caffe",
            runtimes=(RUNTIME,),
            formats=(
                Format(
                    "caffe",
                    "a Caffe network (prototxt and caffemodel)",
                    "interlingua_caffe.frontend.recognise:recognise",
                    reader="interlingua_caffe.frontend.read:read",
                    runtime="caffe",
                    inspector="interlingua_caffe.frontend.inspect:inspect",
                ),
            ),
            backend=Backend("interlingua_caffe.backend:write", natives=("caffe",), runtime="caffe"),
            cards="interlingua_caffe.cards",
        ),
    )
