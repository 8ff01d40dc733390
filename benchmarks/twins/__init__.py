"""LeNet-4 and VGG-16 as a good engineer writes them by hand, one file a framework.

Each file has `LeNet` and `VGG16` (or a builder of that name) and `load(model, weights)`, which takes the weights of a
generated model. Attribute names are those of the source layers, so that the same file fits both.
"""
