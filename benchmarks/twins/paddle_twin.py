"""The Paddle twins."""

import paddle
import paddle.nn.functional as F
from paddle import nn
from safetensors.numpy import load_file

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)


class LeNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.block1_conv1 = nn.Conv2D(1, 6, 5, padding=2)
        self.block2_conv1 = nn.Conv2D(6, 16, 5, padding=2)
        self.fc1 = nn.Linear(16 * 7 * 7, 84)
        self.before_softmax = nn.Linear(84, 10)

    def forward(self, x):
        x = x.transpose([0, 3, 1, 2])
        x = F.max_pool2d(F.relu(self.block1_conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.block2_conv1(x)), 2)
        x = F.relu(self.fc1(paddle.flatten(x, 1)))
        return F.softmax(self.before_softmax(x))


class VGG16(nn.Layer):
    def __init__(self, width=64, classes=1000):
        super().__init__()
        channels = 3
        self.blocks = []
        for block, (scale, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), 1):
            names = []
            for layer in range(1, depth + 1):
                out = scale * width // 64
                setattr(self, f"conv{block}_{layer}", nn.Conv2D(channels, out, 3, padding=1))
                names.append(f"conv{block}_{layer}")
                channels = out
            self.blocks.append(names)
        self.fc6 = nn.Conv2D(channels, 64 * width, 7)
        self.fc7 = nn.Conv2D(64 * width, 64 * width, 1)
        self.fc8 = nn.Conv2D(64 * width, classes, 1)

    def forward(self, x):
        x = x.transpose([0, 3, 1, 2])
        for names in self.blocks:
            for name in names:
                x = F.relu(getattr(self, name)(x))
            x = F.max_pool2d(x, 2)
        x = F.relu(self.fc6(x))
        x = F.relu(self.fc7(x))
        return self.fc8(x).squeeze([2, 3])


def load(model, weights):
    """The model with the weights of a generated one, matched by their last names."""
    own = model.state_dict()
    for name, value in load_file(weights).items():
        target = own[name if name in own else next(mine for mine in own if name.endswith(mine))]
        target.set_value(value)
    model.eval()
    return model
