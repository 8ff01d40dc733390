"""Keras archives read from their bytes: no Keras needed."""
