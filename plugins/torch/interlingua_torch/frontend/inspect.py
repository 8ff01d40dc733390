"""What `interlingua inspect` shows of an exported program."""

from __future__ import annotations

from interlingua.artifact import Artifact, Inspection, Layer
from interlingua.worker import shared
from interlingua_torch.frontend.exported import check


def inspect(artifact: Artifact) -> Inspection:
    """The program's inputs, outputs, operators and weights, told by PyTorch in a worker."""
    told = shared("torch").call("describe", phase="inspect", timeout=300.0, path=str(artifact.path)).value
    check(told)
    layers = tuple(Layer(row["name"], row["kind"], row["output"], row["parameters"]) for row in told["layers"])
    return Inspection(
        "torch-export",
        "a PyTorch exported program (.pt2)",
        tuple(told["inputs"]),
        tuple(told["outputs"]),
        layers,
        told["parameters"],
    )
