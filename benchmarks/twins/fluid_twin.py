"""The Paddle Fluid 1.8.5 twins (Python 3.7): builders of a program's output."""

import paddle.fluid as fluid

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)


def LeNet(image):
    layers = fluid.layers
    x = layers.transpose(image, [0, 3, 1, 2])
    x = layers.conv2d(x, 6, 5, padding=2, act="relu", name="block1_conv1")
    x = layers.pool2d(x, 2, "max", 2)
    x = layers.conv2d(x, 16, 5, padding=2, act="relu", name="block2_conv1")
    x = layers.pool2d(x, 2, "max", 2)
    x = layers.fc(x, 84, act="relu", name="fc1")
    return layers.fc(x, 10, act="softmax", name="before_softmax")


def VGG16(image, width=64, classes=1000):
    layers = fluid.layers
    x = layers.transpose(image, [0, 3, 1, 2])
    for block, (scale, depth) in enumerate(zip(WIDTHS, DEPTHS), 1):
        for layer in range(1, depth + 1):
            x = layers.conv2d(x, scale * width // 64, 3, padding=1, act="relu", name="conv%d_%d" % (block, layer))
        x = layers.pool2d(x, 2, "max", 2)
    x = layers.conv2d(x, 64 * width, 7, act="relu", name="fc6")
    x = layers.conv2d(x, 64 * width, 1, act="relu", name="fc7")
    x = layers.conv2d(x, classes, 1, name="fc8")
    return layers.squeeze(x, [2, 3])
