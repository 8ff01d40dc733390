"""Reads Caffe networks: recognition, upgrade of older forms, weights by layer name, then the IR through the cards."""
