"""What Keras calls the canonical ops."""
