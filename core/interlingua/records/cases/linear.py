"""Dense layers and matrix products."""

from interlingua.records.cases import EVERY, Array, case

_ROWS = (3, 5)

CASES = (
    case("Gemm", "dense", A=_ROWS, B=(5, 4), C=(4,)),
    case("Gemm", "no bias", A=_ROWS, B=(5, 4)),
    case("Gemm", "kernel transposed", A=_ROWS, B=(4, 5), C=(4,), transB=1),
    case("Gemm", "kernel transposed, no bias", A=_ROWS, B=(4, 5), transB=1),
    case("Gemm", "input transposed", A=(5, 3), B=(5, 4), C=(4,), transA=1),
    case("Gemm", "product scaled", A=_ROWS, B=(5, 4), C=(4,), alpha=0.5),
    case("Gemm", "bias scaled", A=_ROWS, B=(5, 4), C=(4,), beta=2.0),
    case("Gemm", "one output", A=_ROWS, B=(5, 1), C=(1,)),
    case("Gemm", "computed kernel", A=_ROWS, B=(5, 4), C=(4,), computed=True),
    case("Gemm", "computed kernel, transposed", A=_ROWS, B=(4, 5), C=(4,), transB=1, computed=True),
    case("MatMul", "matrices", A=_ROWS, B=(5, 4)),
    case("MatMul", "kernel held by the model", A=_ROWS, B=Array((5, 4), constant=True)),
    case("MatMul", "kernel on three axes", A=(2, 3, 5), B=Array((5, 4), constant=True)),
    case("MatMul", "batches", A=(2, 3, 5), B=(2, 5, 4)),
    case("MatMul", "heads", A=(2, 3, 4, 5), B=(2, 3, 5, 4)),
    case("MatMul", "one batch for all", A=(2, 3, 5), B=(5, 4)),
    case("MatMul", "batches broadcast", A=(2, 1, 3, 5), B=(1, 4, 5, 2)),
)

CANNOT = {
    "Gemm": {
        "caffe": (
            "input transposed",
            "product scaled",
            "bias scaled",
            "computed kernel",
            "computed kernel, transposed",
        ),
        "fluid": (
            "input transposed",
            "product scaled",
            "bias scaled",
            "computed kernel",
            "computed kernel, transposed",
        ),
        "keras": (
            "input transposed",
            "product scaled",
            "bias scaled",
            "computed kernel",
            "computed kernel, transposed",
        ),
        "paddle": (
            "input transposed",
            "product scaled",
            "bias scaled",
            "computed kernel",
            "computed kernel, transposed",
        ),
        "tensorflow": (
            "product scaled",
            "bias scaled",
        ),
        "torch": (
            "input transposed",
            "product scaled",
            "bias scaled",
            "computed kernel",
        ),
    },
    "MatMul": {
        "caffe": (EVERY,),
        "fluid": ("batches broadcast",),
    },
}
