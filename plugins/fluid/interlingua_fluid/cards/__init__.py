"""What Fluid calls the canonical ops: the Python API, and the operators that a saved program holds."""
