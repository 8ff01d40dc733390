"""Fourier transforms and windows, as the standard names them."""

from interlingua.onnx.cards.standard import family

CARDS = family("signal")
