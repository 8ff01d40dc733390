"""Functions that generated code contains where an op needs more than a line; copied by name, never imported."""
