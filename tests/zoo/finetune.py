"""Trains a generated model beside its source on real digits, from the same start: docs/results/finetune.json.

Both see the same batches in the same order with the same seeds, batch norm and dropout in training.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision_shim  # noqa: F401  (before the library)
from one import loaded
from sklearn.datasets import load_digits
from torch import nn
from torchvision.models import MobileNetV2

import interlingua

RESULT = Path(__file__).resolve().parent.parent.parent / "docs" / "results" / "finetune.json"
EPOCHS = 3
BATCH = 64
TEST = 300
RATE = 0.03


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """The 1,797 digits as images of 32 × 32 in three channels, shuffled, and their labels."""
    data = load_digits()
    pictures = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8.0 - 1.0
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(5))
    large = F.interpolate(pictures, size=(32, 32), mode="bilinear").expand(-1, 3, -1, -1)
    return large[order].contiguous(), torch.tensor(data.target)[order]


def train(model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """The loss of every step, and the share of the held-out digits that is right afterwards."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    losses = []
    for epoch in range(EPOCHS):
        order = torch.randperm(len(pictures) - TEST, generator=torch.Generator().manual_seed(epoch))
        for step, rows in enumerate(order.split(BATCH)):
            torch.manual_seed(1000 * epoch + step)
            model.train()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(pictures[rows]), labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(round(float(loss.detach()), 5))
    model.eval()
    with torch.no_grad():
        right = (model(pictures[-TEST:]).argmax(1) == labels[-TEST:]).float().mean()
    return {"losses": losses, "accuracy": round(float(right), 4)}


def main() -> int:
    """Writes the result."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    source = MobileNetV2(num_classes=10, width_mult=0.35).eval()
    pictures, labels = digits()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "generated"
        interlingua.convert(source, "torch", out, example_inputs=(pictures[:2],), dynamic={"x": {0: "batch"}})
        generated = loaded(out)
        found = {"source": train(source, pictures, labels), "generated": train(generated, pictures, labels)}
    RESULT.write_text(json.dumps({"model": "MobileNetV2, width 0.35", "epochs": EPOCHS, **found}) + "\n")
    for name, run in found.items():
        print(f"{name:10} first {run['losses'][0]:.4f} last {run['losses'][-1]:.4f} accuracy {run['accuracy']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
