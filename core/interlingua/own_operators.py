"""Operators of ours, in the domain `interlingua`: what frameworks name and the standard would spell in many operators.

They travel as calls of functions: onnxruntime proves by the bodies, ONNX files carry them, and a target without a card
for the operator is written by its body.
"""

from __future__ import annotations

from interlingua.records import Input, attribute, record_of

DOMAIN = "interlingua"

STOP_GRADIENT = f"{DOMAIN}::StopGradient"

_AXES = ("W", "HW", "DHW")

_POOLS = tuple(
    record_of(
        f"{DOMAIN}::AdaptiveAveragePool{len(axes)}D",
        "means over windows that share the spatial axes out evenly; they differ in size where that does not go up",
        [Input("X", "N C *")],
        [attribute("output_size", meaning="how many windows, for each spatial axis")],
        outputs=[Input("Y", "N C *")],
        synonyms=["adaptive average pooling", f"adaptive_avg_pool{len(axes)}d", f"AdaptiveAvgPool{len(axes)}d"],
    )
    for axes in _AXES
)

BAGS = {f"{DOMAIN}::EmbeddingBag{mode.capitalize()}": mode for mode in ("sum", "mean", "max")}
"""Operators that look up several rows at once, by how each makes one of them."""

_BAG_RECORDS = tuple(
    record_of(
        name,
        f"the {meaning} of the rows of a table that each bag of indices names, zeros for an empty one",
        [Input("weight"), Input("indices"), Input("offsets")],
        outputs=[Input("Y")],
        synonyms=["embedding_bag", "EmbeddingBag"],
    )
    for name, meaning in zip(BAGS, ("sum", "mean", "greatest"), strict=True)
)

RECORDS = (
    record_of(
        STOP_GRADIENT,
        "the input; training sees a constant",
        [Input("X")],
        outputs=[Input("Y")],
        synonyms=["detach", "stop_gradient"],
    ),
    *_POOLS,
    *_BAG_RECORDS,
)


def _shares(axis: int, rank: int) -> str:
    """The matrix of size × windows whose column i shares ⌊i · size / windows⌋ up to ⌈(i + 1) · size / windows⌉ evenly.

    `axis` counts from the end, -1 for the last.
    """
    end = f", end: int = {axis + 1}" if axis < -1 else ""
    return f"""
        extent_{-axis} = Shape <start: int = {axis}{end}> (X)
        size_{-axis} = Squeeze (extent_{-axis})
        place_{-axis} = Constant <value_int: int = {rank + axis}> ()
        windows_{-axis} = Gather (wanted, place_{-axis})
        window_{-axis} = Range (zero, windows_{-axis}, one)
        start_{-axis} = Mul (window_{-axis}, size_{-axis})
        first_{-axis} = Div (start_{-axis}, windows_{-axis})
        next_{-axis} = Add (start_{-axis}, size_{-axis})
        end_{-axis} = Sub (next_{-axis}, one)
        last_{-axis} = Div (end_{-axis}, windows_{-axis})
        element_{-axis} = Range (zero, size_{-axis}, one)
        row_{-axis} = Unsqueeze (element_{-axis}, second)
        after_{-axis} = GreaterOrEqual (row_{-axis}, first_{-axis})
        before_{-axis} = LessOrEqual (row_{-axis}, last_{-axis})
        inside_{-axis} = And (after_{-axis}, before_{-axis})
        counted_{-axis} = CastLike (inside_{-axis}, X)
        count_{-axis} = ReduceSum <keepdims: int = 1> (counted_{-axis}, first_axis)
        shares_{-axis} = Div (counted_{-axis}, count_{-axis})
    """


_PRODUCTS = (
    "Y = MatMul (X, shares_1)",
    """
        rows = MatMul (X, shares_1)
        columns = Transpose <perm: ints = [1, 0]> (shares_2)
        Y = MatMul (columns, rows)
    """,
    """
        rows = MatMul (X, shares_1)
        columns = Transpose <perm: ints = [1, 0]> (shares_2)
        planes = MatMul (columns, rows)
        lead = Shape <end: int = -2> (planes)
        rest = Constant <value_ints: ints = [-1]> ()
        flat_shape = Concat <axis: int = 0> (lead, rest)
        flat = Reshape (planes, flat_shape)
        depths = Transpose <perm: ints = [1, 0]> (shares_3)
        pooled = MatMul (depths, flat)
        outer = Shape <end: int = -3> (X)
        shape = Concat <axis: int = 0> (outer, wanted)
        Y = Reshape (pooled, shape)
    """,
)


def _adaptive_average(rank: int) -> str:
    """Means as products with a matrix of each window's shares, one axis after the other."""
    return f"""
    <domain: "{DOMAIN}", opset_import: ["": 20]>
    AdaptiveAveragePool{rank}D <output_size> (X) => (Y) {{
        wanted = Constant <value_ints: ints = @output_size> ()
        zero = Constant <value_int: int = 0> ()
        one = Constant <value_int: int = 1> ()
        first_axis = Constant <value_ints: ints = [0]> ()
        second = Constant <value_ints: ints = [1]> ()
        {"".join(_shares(-1 - number, rank) for number in range(rank))}
        {_PRODUCTS[rank - 1]}
    }}
    """


_SAME = f"""
    <domain: "{DOMAIN}", opset_import: ["": 20]>
    StopGradient (X) => (Y) {{
        Y = Identity (X)
    }}
    """

_TAKEN = {
    "sum": "Y = MatMul (shares, rows)",
    "mean": """
        total = MatMul (shares, rows)
        count = ReduceSum <keepdims: int = 1> (shares, second)
        least = CastLike (one, weight)
        divisor = Max (count, least)
        Y = Div (total, divisor)
    """,
    "max": """
        last = Constant <value_ints: ints = [2]> ()
        within = Unsqueeze (inside, last)
        lowest = Constant <value_float: float = -inf> ()
        lowest_like = CastLike (lowest, weight)
        candidates = Where (within, rows, lowest_like)
        greatest = ReduceMax <keepdims: int = 0> (candidates, second)
        count = ReduceSum <keepdims: int = 1> (shares, second)
        nothing = CastLike (zero, weight)
        full = Greater (count, nothing)
        Y = Where (full, greatest, nothing)
    """,
}


def _bag(mode: str) -> str:
    """Bags as a matrix of who is in which: the indices from each bag's offset up to the next one's."""
    return f"""
    <domain: "{DOMAIN}", opset_import: ["": 20]>
    EmbeddingBag{mode.capitalize()} (weight, indices, offsets) => (Y) {{
        zero = Constant <value_int: int = 0> ()
        one = Constant <value_int: int = 1> ()
        first = Constant <value_ints: ints = [0]> ()
        second = Constant <value_ints: ints = [1]> ()
        end = Constant <value_ints: ints = [9223372036854775807]> ()
        rows = Gather (weight, indices)
        length = Shape (indices)
        limit = Squeeze (length)
        places = Range (zero, limit, one)
        after = Slice (offsets, second, end, first)
        wide = Cast <to: int = 7> (after)
        stops = Concat <axis: int = 0> (wide, length)
        begin = Unsqueeze (offsets, second)
        start = Cast <to: int = 7> (begin)
        stop = Unsqueeze (stops, second)
        begun = GreaterOrEqual (places, start)
        going = Less (places, stop)
        inside = And (begun, going)
        shares = CastLike (inside, weight)
        {_TAKEN[mode]}
    }}
    """


FUNCTIONS = (_SAME, *(_adaptive_average(len(axes)) for axes in _AXES), *(_bag(mode) for mode in BAGS.values()))
