"""LeNet-4 as a person writes it in Paddle: the source of the tests' saved programs."""

from pathlib import Path

import paddle
import paddle.nn.functional as F
from paddle import nn
from safetensors.numpy import load_file


class LeNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.block1_conv1 = nn.Conv2D(1, 6, 5, padding=2)
        self.block1_pool1 = nn.MaxPool2D(2)
        self.block2_conv1 = nn.Conv2D(6, 16, 5, padding=2)
        self.block2_pool1 = nn.MaxPool2D(2)
        self.fc1 = nn.Linear(784, 84)
        self.before_softmax = nn.Linear(84, 10)

    def forward(self, x):
        x = self.block1_pool1(F.relu(self.block1_conv1(x)))
        x = self.block2_pool1(F.relu(self.block2_conv1(x)))
        x = paddle.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.softmax(self.before_softmax(x))


def load():
    model = LeNet()
    weights = load_file(Path(__file__).with_name("weights.safetensors"))
    missing, unexpected = model.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})
    assert not missing and not unexpected
    return model
