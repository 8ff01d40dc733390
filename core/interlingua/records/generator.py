"""Tensors made of nothing, of a shape or of chance; triangles."""

from collections.abc import Sequence

from interlingua.records import CanonicalParameter, Input, Record, attribute, constant, record_of

_OUTPUT = [Input("output")]
_SEED = attribute("seed", None, "of the generator")


def _random(name: str, summary: str, *parameters: CanonicalParameter) -> Record:
    shape = [attribute("shape", meaning="the shape"), attribute("dtype", 1, "the element type")]
    return record_of(name, summary, [], [*shape, _SEED, *parameters], outputs=_OUTPUT)


def _like(name: str, summary: str, *parameters: CanonicalParameter) -> Record:
    dtype = attribute("dtype", None, "the element type; the input's where unsaid")
    return record_of(name, summary, [Input("input")], [dtype, _SEED, *parameters], outputs=_OUTPUT)


_NORMAL = (attribute("mean", 0.0), attribute("scale", 1.0, "the standard deviation"))
_UNIFORM = (attribute("low", 0.0), attribute("high", 1.0))
_KINDS: Sequence[CanonicalParameter] = [
    attribute(name, None)
    for name in (
        "value",
        "sparse_value",
        "value_float",
        "value_floats",
        "value_int",
        "value_ints",
        "value_string",
        "value_strings",
    )
]

RECORDS = (
    record_of("Constant", "a tensor that is always the same", [], _KINDS, outputs=_OUTPUT),
    record_of(
        "ConstantOfShape",
        "a tensor of one value",
        [],
        [constant("input", meaning="the shape"), attribute("value", None, "the value; 0 where unsaid")],
        outputs=_OUTPUT,
        synonyms=["full", "zeros", "ones"],
    ),
    record_of(
        "Range",
        "numbers from start by delta up to, not including, limit",
        [Input("start"), Input("limit"), Input("delta")],
        outputs=_OUTPUT,
        synonyms=["arange"],
    ),
    record_of(
        "EyeLike",
        "1 on a diagonal of a matrix of the input's shape, else 0",
        [Input("input")],
        [
            attribute("dtype", None, "the element type; the input's where unsaid"),
            attribute("k", 0, "how far above the main diagonal"),
        ],
        outputs=_OUTPUT,
        synonyms=["eye"],
    ),
    record_of(
        "Trilu",
        "the upper or lower triangle of matrices, else 0",
        [Input("input")],
        [constant("k", 0, "how far above the main diagonal"), attribute("upper", 1, "the upper, not the lower")],
        outputs=_OUTPUT,
        synonyms=["triu", "tril"],
    ),
    _random("RandomNormal", "numbers of the normal law", *_NORMAL),
    _random("RandomUniform", "numbers between two bounds, all alike", *_UNIFORM),
    _like("RandomNormalLike", "numbers of the normal law in the shape of the input", *_NORMAL),
    _like("RandomUniformLike", "numbers between two bounds, all alike, in the shape of the input", *_UNIFORM),
    _like("Bernoulli", "1 with the probability that the input says, else 0"),
    record_of(
        "Multinomial",
        "classes drawn by the logarithms of their probabilities",
        [Input("input")],
        [attribute("dtype", 6, "the element type"), attribute("sample_size", 1, "how many are drawn"), _SEED],
        outputs=_OUTPUT,
    ),
)
