"""Reductions over axes."""

from interlingua.records import Input, attribute, constant, derived, record_of

RECORDS = (
    record_of(
        "ReduceMean",
        "mean over axes",
        [Input("data")],
        [
            constant("axes", None, "the axes; all where unsaid"),
            attribute("keepdims", 1, "whether they stay with size 1"),
            attribute("noop_with_empty_axes", 0),
            derived("input_rank", "axes of the input"),
        ],
        outputs=[Input("reduced")],
        synonyms=["mean", "average"],
    ),
)
