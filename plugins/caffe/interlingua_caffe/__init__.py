"""Caffe for Interlingua."""
