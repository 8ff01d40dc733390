"""Keras for Interlingua."""
