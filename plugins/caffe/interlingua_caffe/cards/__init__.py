"""Caffe's layers as cards: an API is a layer's type, a parameter its field (`convolution_param.num_output`).

Slots are `bottom[i]`, `blobs[i]`, or a field where a constant operand is said by one. Sources of names and
defaults: the messages of `caffe.proto` (BVLC master; `permute_param` of the SSD branch).
"""
