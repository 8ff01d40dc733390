"""What TensorFlow calls the canonical ops: TensorFlow 2, and 1.15 where it says it otherwise."""
