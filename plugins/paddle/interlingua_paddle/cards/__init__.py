"""What Paddle calls the canonical ops: its Python API, and in `program` the operators of saved programs."""
