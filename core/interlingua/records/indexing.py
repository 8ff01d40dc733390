"""Indexing: elements picked by place or by number, and put there."""

from interlingua.records import Input, attribute, constant, derived, record_of

_OUTPUT = [Input("output")]

RECORDS = (
    record_of(
        "Gather",
        "the slices that indices of any shape name along an axis",
        [Input("data"), Input("indices")],
        [attribute("axis", 0, "the axis that the indices replace"), derived("input_rank", "axes of the data")],
        outputs=_OUTPUT,
        synonyms=["take", "index_select", "embedding"],
    ),
    record_of(
        "GatherElements",
        "one element for each index, from the index's own place along the other axes",
        [Input("data"), Input("indices")],
        [attribute("axis", 0, "the axis along which the indices count")],
        outputs=_OUTPUT,
        synonyms=["take_along_dim"],
    ),
    record_of(
        "GatherND",
        "the slices named by index tuples, which the last axis of the indices holds",
        [Input("data"), Input("indices")],
        [attribute("batch_dims", 0, "how many first axes data and indices share")],
        outputs=_OUTPUT,
    ),
    record_of(
        "ScatterElements",
        "a copy with one element replaced for each index, at the index's own place along the other axes",
        [Input("data"), Input("indices"), Input("updates")],
        [
            attribute("axis", 0, "the axis along which the indices count"),
            attribute("reduction", "none", "how an update joins what is there: none (it replaces), add, mul, max, min"),
        ],
        outputs=_OUTPUT,
    ),
    record_of(
        "ScatterND",
        "a copy with the slices replaced that index tuples name",
        [Input("data"), Input("indices"), Input("updates")],
        [attribute("reduction", "none", "how an update joins what is there: none (it replaces), add, mul, max, min")],
        outputs=_OUTPUT,
        synonyms=["index_put"],
    ),
    record_of(
        "TensorScatter",
        "a key/value cache with an update written at each sequence's own place",
        [Input("past_cache"), Input("update"), Input("write_indices", optional=True)],
        [
            attribute("mode", "linear", "whether places beyond the end (circular) begin again at the start"),
            attribute("axis", -2, "the axis of time"),
        ],
        outputs=[Input("present_cache")],
    ),
    record_of(
        "Slice",
        "the elements from a start to an end in steps, along some axes",
        [Input("data")],
        [
            constant("starts", meaning="the first element of each axis, from the end where negative"),
            constant("ends", meaning="the first element left out; beyond the end is the end"),
            constant("axes", None, "the axes meant; the first ones where unsaid"),
            constant("steps", None, "backward where negative; 1 where unsaid"),
        ],
        outputs=_OUTPUT,
    ),
    record_of(
        "OneHot",
        "a new axis that is on at each index and off elsewhere",
        [Input("indices"), Input("depth"), Input("values")],
        [attribute("axis", -1, "where the new axis stands")],
        outputs=_OUTPUT,
    ),
    record_of("NonZero", "the places of all elements that are not zero, one row an axis", [Input("X")]),
    record_of(
        "Compress",
        "the slices along an axis whose condition holds",
        [Input("input"), Input("condition")],
        [attribute("axis", None, "the axis; of all elements in a row where unsaid")],
        outputs=_OUTPUT,
        synonyms=["boolean_mask", "masked_select"],
    ),
    record_of(
        "Unique",
        "the different elements or slices, where each stands first, which each one is, and how often",
        [Input("X")],
        [
            attribute("axis", None, "the axis of the slices; elements where unsaid"),
            attribute("sorted", 1, "whether sorted, or in the order of their first places"),
        ],
        outputs=[Input("Y"), Input("indices"), Input("inverse_indices"), Input("counts")],
    ),
)
