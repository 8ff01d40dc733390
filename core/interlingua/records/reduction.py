"""Reductions over axes, positions of extremes, running totals."""

from interlingua.records import Input, Record, attribute, constant, derived, record_of


def _reduction(name: str, summary: str, *synonyms: str) -> Record:
    return record_of(
        name,
        summary,
        [Input("data")],
        [
            constant("axes", None, "the axes; all where unsaid"),
            attribute("keepdims", 1, "whether they stay with size 1"),
            attribute("noop_with_empty_axes", 0),
            derived("input_rank", "axes of the input"),
        ],
        outputs=[Input("reduced")],
        synonyms=synonyms,
    )


def _extreme(name: str, summary: str) -> Record:
    return record_of(
        name,
        summary,
        [Input("data")],
        [
            attribute("axis", 0, "the axis that is searched"),
            attribute("keepdims", 1, "whether it stays with size 1"),
            attribute("select_last_index", 0, "the last of several, not the first"),
        ],
        outputs=[Input("reduced")],
    )


def _running(name: str, summary: str) -> Record:
    return record_of(
        name,
        summary,
        [Input("x")],
        [
            constant("axis", meaning="the axis"),
            attribute("exclusive", 0, "without the element itself"),
            attribute("reverse", 0, "from the end"),
        ],
        outputs=[Input("y")],
    )


RECORDS = (
    _reduction("ReduceMean", "mean over axes", "mean", "average"),
    _reduction("ReduceSum", "sum over axes", "sum"),
    _reduction("ReduceProd", "product over axes", "prod"),
    _reduction("ReduceMax", "maximum over axes", "amax"),
    _reduction("ReduceMin", "minimum over axes", "amin"),
    _reduction("ReduceL1", "sum of absolute values over axes", "norm"),
    _reduction("ReduceL2", "square root of the sum of squares over axes", "norm"),
    _reduction("ReduceLogSum", "logarithm of the sum over axes"),
    _reduction("ReduceLogSumExp", "logarithm of the sum of exponentials over axes", "logsumexp"),
    _reduction("ReduceSumSquare", "sum of squares over axes"),
    _extreme("ArgMax", "where the maximum stands"),
    _extreme("ArgMin", "where the minimum stands"),
    _running("CumSum", "running sum along an axis"),
    _running("CumProd", "running product along an axis"),
    record_of(
        "TopK",
        "the k largest or smallest along an axis, and where they stand",
        [Input("X")],
        [
            constant("K", meaning="how many"),
            attribute("axis", -1, "the axis that is searched"),
            attribute("largest", 1, "the largest, not the smallest"),
            attribute("sorted", 1, "in their order"),
        ],
        outputs=[Input("Values"), Input("Indices")],
    ),
)
