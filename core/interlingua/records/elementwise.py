"""Arithmetic element by element, with numpy's broadcasting, and conversions between element types."""

from interlingua.records import Input, Record, attribute, record_of


def _binary(name: str, summary: str, *synonyms: str) -> Record:
    return record_of(name, summary, [Input("A"), Input("B")], outputs=[Input("C")], synonyms=synonyms)


def _unary(name: str, summary: str, *synonyms: str, x: str = "X", y: str = "Y") -> Record:
    return record_of(name, summary, [Input(x)], outputs=[Input(y)], synonyms=synonyms)


def _function(name: str, summary: str, *synonyms: str) -> Record:
    return _unary(name, summary, *synonyms, x="input", y="output")


def _variadic(name: str, output: str, summary: str, *synonyms: str) -> Record:
    inputs = [Input("data_0", variadic=True)]
    return record_of(name, summary, inputs, outputs=[Input(output)], synonyms=synonyms)


RECORDS = (
    _binary("Add", "A + B, broadcast", "sum", "eltwise"),
    _binary("Sub", "A − B, broadcast", "subtract", "minus"),
    _binary("Mul", "A · B, broadcast", "multiply", "product"),
    _binary("Div", "A / B, broadcast", "divide", "quotient"),
    record_of("Pow", "X to the power Y, broadcast", [Input("X"), Input("Y")], outputs=[Input("Z")], synonyms=["power"]),
    record_of(
        "Mod",
        "remainder of A / B with the sign of B, or of A where said",
        [Input("A"), Input("B")],
        [attribute("fmod", 0, "the remainder has the sign of A")],
        outputs=[Input("C")],
        synonyms=["remainder", "fmod"],
    ),
    _unary("Sqrt", "square root", "square root"),
    _unary("Exp", "e to the power X", "exponential"),
    _unary("Log", "natural logarithm", "ln"),
    _unary("Abs", "absolute value", "AbsVal"),
    _unary("Neg", "−X", "negative"),
    _unary("Ceil", "the nearest whole number above"),
    _unary("Floor", "the nearest whole number below"),
    _unary("Round", "the nearest whole number, halves to the even one"),
    _unary("Reciprocal", "1 / X"),
    _function("Sign", "−1, 0 or 1"),
    _function("Erf", "the error function"),
    _function("Sin", "sine"),
    _function("Cos", "cosine"),
    _function("Tan", "tangent"),
    _function("Asin", "inverse sine", "arcsin"),
    _function("Acos", "inverse cosine", "arccos"),
    _function("Atan", "inverse tangent", "arctan"),
    _function("Sinh", "hyperbolic sine"),
    _function("Cosh", "hyperbolic cosine"),
    _function("Asinh", "inverse hyperbolic sine", "arcsinh"),
    _function("Acosh", "inverse hyperbolic cosine", "arccosh"),
    _function("Atanh", "inverse hyperbolic tangent", "arctanh"),
    _unary("IsNaN", "whether X is not a number"),
    record_of(
        "IsInf",
        "whether X is infinite",
        [Input("X")],
        [attribute("detect_negative", 1, "−∞ counts"), attribute("detect_positive", 1, "+∞ counts")],
    ),
    _variadic("Sum", "sum", "the sum of all, broadcast", "addn"),
    _variadic("Mean", "mean", "the mean of all, broadcast"),
    _variadic("Max", "max", "the largest of all, broadcast", "maximum"),
    _variadic("Min", "min", "the smallest of all, broadcast", "minimum"),
    _binary("BitwiseAnd", "A and B, bit by bit"),
    _binary("BitwiseOr", "A or B, bit by bit"),
    _binary("BitwiseXor", "either A or B, bit by bit"),
    _unary("BitwiseNot", "each bit of X turned over", "invert"),
    record_of(
        "BitShift",
        "the bits of X moved by Y places",
        [Input("X"), Input("Y")],
        [attribute("direction", meaning="LEFT or RIGHT")],
        outputs=[Input("Z")],
        synonyms=["shift"],
    ),
    record_of(
        "Cast",
        "the same values in another element type",
        [Input("input")],
        [
            attribute("to", meaning="the element type"),
            attribute("saturate", 1, "what is too large for a float of 8 bits becomes the largest"),
            attribute("round_mode", "up", "of what has no bits for a fraction"),
        ],
        outputs=[Input("output")],
        synonyms=["astype", "to"],
    ),
    record_of(
        "CastLike",
        "the same values in the element type of another tensor",
        [Input("input"), Input("target_type")],
        [
            attribute("saturate", 1, "what is too large for a float of 8 bits becomes the largest"),
            attribute("round_mode", "up", "of what has no bits for a fraction"),
        ],
        outputs=[Input("output")],
        synonyms=["type_as"],
    ),
    record_of(
        "BitCast",
        "the same bits read as another element type",
        [Input("input")],
        [attribute("to", meaning="the element type")],
        outputs=[Input("output")],
        synonyms=["bitcast", "view"],
    ),
)
