"""PaddlePaddle for Interlingua."""
