"""Target source code: expressions as Python `ast`, names, weights, and one printer."""
