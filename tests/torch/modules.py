"""Runs in a PyTorch worker: saves modules as users write them, and files of the wrong kind."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")


def versions(arrays):
    return {"torch": torch.__version__}, {}


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    """Two inputs, nested modules, a module list, a buffer, a dense layer on three axes."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(Block(3, 4), nn.MaxPool2d(2), Block(4, 6))
        self.heads = nn.ModuleList([nn.Linear(6, 5), nn.Linear(6, 5)])
        self.drop = nn.Dropout(0.2)
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1))
        self.gain = nn.Parameter(torch.tensor([1.5, 0.5, 0.7, 0.9, 1.1]))

    def forward(self, image, weight):
        x = self.features(image - self.mean)
        x = x.flatten(2).transpose(1, 2)
        first, second = (head(self.drop(x)) for head in self.heads)
        return torch.softmax(first * self.gain, -1).mean(1), (second * weight).mean(1)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(6, 6)
        self.decode = nn.Linear(6, 6)
        self.decode.weight = self.encode.weight

    def forward(self, x):
        return self.decode(torch.tanh(self.encode(x)))


def seeded(model):
    torch.manual_seed(3)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.2, 0.9)
    return model.eval()


def save(arrays, folder):
    """Saves everything into `folder`."""
    batch = {0: torch.export.Dim.DYNAMIC}
    examples = (torch.randn(2, 3, 8, 8), torch.randn(2, 1, 5))
    program = torch.export.export(seeded(Net()), examples, dynamic_shapes=(batch, batch))
    torch.export.save(program, folder + "/" + "net.pt2")
    program = torch.export.export(seeded(Tied()), (torch.randn(2, 6),), dynamic_shapes=(batch,))
    torch.export.save(program, folder + "/" + "tied.pt2")
    model = seeded(Tied())
    torch.jit.trace(model, torch.randn(2, 6)).save(folder + "/" + "script.pt")
    torch.save(model.state_dict(), folder + "/" + "state.pth")
    torch.save(model, folder + "/" + "module.pt")
    torch.save(model.state_dict(), folder + "/" + "legacy.pth", _use_new_zipfile_serialization=False)
    return {}, {}
