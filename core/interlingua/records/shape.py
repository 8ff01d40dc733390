"""Shapes: reshaping, moving and joining axes, padding."""

from interlingua.records import Input, attribute, constant, derived, record_of

_DATA = [Input("data")]

RECORDS = (
    record_of(
        "Flatten",
        "two axes: those before `axis` as one, the others as one",
        [Input("input")],
        [attribute("axis", 1, "first axis of the second half"), derived("input_rank", "axes of the input")],
        outputs=[Input("output")],
    ),
    record_of(
        "Reshape",
        "another shape with the same elements in the same order",
        _DATA,
        [constant("shape", meaning="the new shape, −1 for what is left"), attribute("allowzero", 0)],
        outputs=[Input("reshaped")],
        synonyms=["view"],
    ),
    record_of(
        "Transpose",
        "another order of the axes",
        _DATA,
        [attribute("perm", None, "the axes of the input, in the output's order")],
        outputs=[Input("transposed")],
        synonyms=["permute"],
    ),
    record_of(
        "Concat",
        "tensors joined along an axis",
        [Input("inputs", variadic=True)],
        [attribute("axis", meaning="the axis that grows")],
        outputs=[Input("concat_result")],
        synonyms=["concatenate", "cat", "merge"],
    ),
    record_of(
        "Squeeze",
        "axes of size 1 removed",
        _DATA,
        [constant("axes", None, "the axes; all of size 1 where unsaid"), derived("input_rank", "axes of the input")],
        outputs=[Input("squeezed")],
    ),
    record_of(
        "Unsqueeze",
        "axes of size 1 added",
        _DATA,
        [constant("axes", meaning="where they stand in the output"), derived("input_rank", "axes of the input")],
        outputs=[Input("expanded")],
        synonyms=["expand_dims"],
    ),
    record_of(
        "Pad",
        "elements added before and after each axis",
        _DATA,
        [
            constant("pads", meaning="how many, all begins then all ends"),
            constant("constant_value", 0.0, "what is added in mode constant"),
            constant("axes", None, "the axes that pads speaks of; all where unsaid"),
            attribute("mode", "constant", "constant, reflect, edge or wrap"),
            derived("input_rank", "axes of the input"),
        ],
        outputs=[Input("output")],
        synonyms=["padding", "ZeroPadding2D"],
    ),
)
