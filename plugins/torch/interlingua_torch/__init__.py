"""PyTorch for Interlingua."""
