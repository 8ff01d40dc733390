"""Reads PyTorch's artifacts."""
