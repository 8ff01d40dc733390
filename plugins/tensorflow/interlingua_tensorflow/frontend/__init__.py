"""Reads TensorFlow's files: what they are from their bytes, the graph itself in a worker."""
