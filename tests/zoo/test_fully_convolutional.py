"""The fully convolutional ResNet-18 is the classifier slid over a larger image: sizes, parameters, values."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / ".environments" / "zoo" / "bin" / "python"
SAY = """
import json, architectures, torch, zoo_own
from torchvision.models import resnet18
classifier = resnet18(weights=None).eval()
network = zoo_own.FullyConvolutional(classifier).eval()
picture = torch.rand(1, 3, 224, 224)
with torch.no_grad():
    wanted, found = classifier(picture), network(picture)
    difference = float((wanted - found.flatten(1)).abs().max() / wanted.abs().max())
    x, sizes = torch.empty(1, 3, 725, 1920, device="meta"), {}
    network.to("meta")
    for name, stage in [*network.features.named_children(), ("pool", network.pool), ("last_conv", network.last_conv)]:
        x = stage(x)
        sizes[name] = list(x.shape)
    whole = architectures.ALL["fcn_resnet18"]
    example = list(whole.inputs(1)[0].shape)
count = sum(parameter.numel() for parameter in network.parameters())
print(json.dumps({"difference": difference, "sizes": sizes, "parameters": count, "example": example}))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    done = subprocess.run([str(PYTHON), "-c", SAY], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="no environment of the zoo: make zoo")
class TestFullyConvolutional:
    def test_it_is_the_classifier_on_an_image_of_its_size(self, said: dict[str, Any]) -> None:
        assert said["difference"] < 1e-5

    def test_sizes_of_a_wide_image(self, said: dict[str, Any]) -> None:
        """725 and 363 are odd, and the pooling leaves out two rows and four columns."""
        sizes = said["sizes"]
        assert said["example"] == [1, 3, 725, 1920]
        assert [sizes[name] for name in ("0", "3", "4", "5", "6", "7")] == [
            [1, 64, 363, 960],
            [1, 64, 182, 480],
            [1, 64, 182, 480],
            [1, 128, 91, 240],
            [1, 256, 46, 120],
            [1, 512, 23, 60],
        ]
        assert sizes["pool"] == [1, 512, 3, 8] and sizes["last_conv"] == [1, 1000, 3, 8]

    def test_parameters(self, said: dict[str, Any]) -> None:
        rows = json.loads((ROOT / "docs" / "results" / "zoo.json").read_text())
        assert said["parameters"] == rows["fcn_resnet18"]["parameters"] == 11_689_512
