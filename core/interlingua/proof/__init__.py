"""Proof: source, IR and target run on the same inputs, compared in numbers."""
