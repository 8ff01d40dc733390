"""ONNX as a framework like the others: it is read, written and run through the same door as every plugin."""
