"""Comparisons and logic, as the standard names them."""

from interlingua.onnx.cards.standard import family

CARDS = family("logic")
