"""Matrix products and dense layers."""

from interlingua.records import Input, attribute, derived, record_of

RECORDS = (
    record_of(
        "Gemm",
        "dense layer: alpha · A' · B' + beta · C, with A' and B' transposed where said",
        [Input("A", "N I"), Input("B", "I O", learned=True), Input("C", "O", learned=True, optional=True)],
        [
            derived("in_features", "columns of A'"),
            derived("out_features", "columns of B'"),
            attribute("alpha", 1.0, "factor of the product"),
            attribute("beta", 1.0, "factor of C"),
            attribute("transA", 0, "A is given transposed"),
            attribute("transB", 0, "B is given transposed", absorbed="B"),
            derived("has_bias", "whether C is given"),
        ],
        outputs=[Input("Y", "N O")],
        synonyms=["dense", "linear", "fully connected", "inner product", "fc"],
    ),
    record_of(
        "MatMul",
        "matrix product over the last two axes, the others broadcast",
        [Input("A"), Input("B")],
        synonyms=["matmul", "bmm", "dot", "mm"],
    ),
    record_of(
        "Einsum",
        "sum of products of elements whose axes are named by letters",
        [Input("Inputs", variadic=True)],
        [attribute("equation", meaning="the axes of the inputs and of the output")],
        outputs=[Input("Output")],
        synonyms=["einstein summation", "contraction"],
    ),
    record_of("Det", "determinant of square matrices", [Input("X")], synonyms=["determinant"]),
)
