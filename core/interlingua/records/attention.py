"""Attention and the rotation of positions."""

from interlingua.records import Input, attribute, record_of

RECORDS = (
    record_of(
        "Attention",
        "scaled dot-product attention: softmax(Q·Kᵀ·scale + mask)·V, by heads, with a cache of keys and values",
        [
            Input("Q"),
            Input("K"),
            Input("V"),
            Input("attn_mask", optional=True),
            Input("past_key", optional=True),
            Input("past_value", optional=True),
            Input("nonpad_kv_seqlen", optional=True),
        ],
        [
            attribute("is_causal", 0, "no position sees a later one"),
            attribute("kv_num_heads", None, "heads of K and V, where heads are no axis of theirs"),
            attribute("q_num_heads", None, "heads of Q, where heads are no axis of its own"),
            attribute("qk_matmul_output_mode", 0, "at which step the fourth output is taken"),
            attribute("scale", None, "factor of the products; 1/√(head size) where unsaid"),
            attribute("softcap", 0.0, "bound of the products, by tanh"),
            attribute("softmax_precision", None, "element type of the softmax"),
            attribute("left_window_size", -1, "earlier positions that one sees"),
            attribute("right_window_size", -1, "later positions that one sees"),
        ],
        outputs=[
            Input("Y"),
            Input("present_key", optional=True),
            Input("present_value", optional=True),
            Input("qk_matmul_output", optional=True),
        ],
        synonyms=["scaled dot product attention", "multi-head attention", "sdpa", "gqa"],
    ),
    record_of(
        "RotaryEmbedding",
        "rotates pairs of features by angles that grow with the position",
        [Input("X"), Input("cos_cache"), Input("sin_cache"), Input("position_ids", optional=True)],
        [
            attribute("interleaved", 0, "pairs are neighbours, not halves"),
            attribute("num_heads", None, "heads, where they are no axis of their own"),
            attribute("rotary_embedding_dim", 0, "features that are rotated; 0 for all"),
        ],
        synonyms=["rope", "rotary position embedding"],
    ),
)
