"""Reading what Paddle writes, from its bytes."""
