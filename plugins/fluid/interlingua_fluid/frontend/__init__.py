"""From Fluid's inference models to the IR."""
