"""Losses, as the standard names them."""

from interlingua.onnx.cards.standard import family

CARDS = family("loss")
