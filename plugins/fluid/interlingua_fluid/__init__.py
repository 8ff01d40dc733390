"""Paddle Fluid for Interlingua."""
