"""What PyTorch calls the canonical ops."""
