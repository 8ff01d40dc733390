"""Text: strings, and counts of n-grams, which also work on numbers."""

from interlingua.records import Input, attribute, record_of

RECORDS = (
    record_of(
        "TfIdfVectorizer",
        "counts of the n-grams of a pool, plain, weighted or as yes and no",
        [Input("X")],
        [
            attribute("mode", meaning="TF, IDF or TFIDF"),
            attribute("min_gram_length", meaning="shortest n-gram"),
            attribute("max_gram_length", meaning="longest n-gram"),
            attribute("max_skip_count", meaning="elements that may stand between those of an n-gram"),
            attribute("ngram_counts", meaning="where in the pool the n-grams of each length begin"),
            attribute("ngram_indexes", meaning="the output's element of each n-gram"),
            attribute("pool_int64s", None, "the n-grams one after another, of numbers"),
            attribute("pool_strings", None, "the n-grams one after another, of strings"),
            attribute("weights", None, "weight of each n-gram"),
        ],
        synonyms=["n-grams", "bag of words"],
    ),
    record_of("StringConcat", "strings joined, element by element", [Input("X"), Input("Y")], outputs=[Input("Z")]),
    record_of(
        "StringNormalizer",
        "strings in upper or lower case, without stop words",
        [Input("X")],
        [
            attribute("case_change_action", "NONE", "LOWER, UPPER or NONE"),
            attribute("is_case_sensitive", 0, "whether stop words are compared as they are"),
            attribute("locale", None),
            attribute("stopwords", None, "strings that are left out"),
        ],
    ),
    record_of(
        "StringSplit",
        "strings cut at a delimiter, and into how many parts",
        [Input("X")],
        [attribute("delimiter", None), attribute("maxsplit", None)],
        outputs=[Input("Y"), Input("Z")],
    ),
    record_of(
        "RegexFullMatch",
        "whether strings match a regular expression as a whole",
        [Input("X")],
        [attribute("pattern", None)],
    ),
)
