"""Sequences of tensors, and values that may be absent."""

from interlingua.records import Input, attribute, constant, record_of

_SEQUENCE = Input("input_sequence")
_LONGER = [Input("output_sequence")]
_PLACE = Input("position", optional=True)

RECORDS = (
    record_of(
        "SequenceConstruct", "a sequence of the given tensors", [Input("inputs", variadic=True)], outputs=_LONGER
    ),
    record_of(
        "SequenceEmpty",
        "a sequence without tensors",
        [],
        [attribute("dtype", None, "the element type; float where unsaid")],
        outputs=[Input("output")],
    ),
    record_of(
        "SequenceAt",
        "the tensor at a place of a sequence",
        [_SEQUENCE, Input("position")],
        outputs=[Input("tensor")],
    ),
    record_of(
        "SequenceInsert",
        "a longer sequence, the tensor at its end or before a place",
        [_SEQUENCE, Input("tensor"), _PLACE],
        outputs=_LONGER,
        synonyms=["append"],
    ),
    record_of(
        "SequenceErase", "a sequence without its last tensor, or that at a place", [_SEQUENCE, _PLACE], outputs=_LONGER
    ),
    record_of("SequenceLength", "how many tensors there are", [_SEQUENCE], outputs=[Input("length")]),
    record_of(
        "ConcatFromSequence",
        "the tensors of a sequence joined along an axis",
        [_SEQUENCE],
        [
            attribute("axis", meaning="the axis that grows, or is new"),
            attribute("new_axis", 0, "whether the axis is new"),
        ],
        outputs=[Input("concat_result")],
        synonyms=["stack"],
    ),
    record_of(
        "SplitToSequence",
        "the pieces of a tensor along an axis, as a sequence",
        [Input("input")],
        [
            constant("split", None, "the size of every piece, or of each; 1 where unsaid"),
            attribute("axis", 0, "the axis that is cut"),
            attribute("keepdims", 1, "whether pieces of size 1 keep the axis, where no size is said"),
        ],
        outputs=_LONGER,
    ),
    record_of(
        "Optional",
        "a value that may be absent",
        [Input("input", optional=True)],
        [attribute("type", None, "the type of what is absent")],
        outputs=[Input("output")],
    ),
    record_of(
        "OptionalHasElement",
        "whether there is a value",
        [Input("input", optional=True)],
        outputs=[Input("output")],
    ),
    record_of("OptionalGetElement", "the value that is there", [Input("input")], outputs=[Input("output")]),
)
