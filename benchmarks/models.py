"""The five models that are measured beside their sources: built, perturbed, exported by PyTorch's own exporters.

    .environments/zoo/bin/python benchmarks/models.py NAME FOLDER [--generate]

With `--generate` FOLDER gets the code that Interlingua writes for the module in memory. Else it gets `dynamo.onnx`
(today's exporter), `script.onnx` (the older one, which more converters take), `data.npz` (inputs `input0…` and outputs
`output0…` of the source) and `facts.json`. Runs in the zoo's environment, with tests/zoo on its path.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision_shim  # noqa: F401  (before the libraries)
from perturb import perturb
from torch import nn
from zoo_rows import Architecture, Inputs, images, made
from zoo_transformers import returning, sentences

import interlingua
from permutes import permutes

BATCH = 2
SCRIPT_OPSET = 14
WORDS, LABELS = 500, 20


class Tagger(nn.Module):
    """Words to labels by a bidirectional LSTM of two layers: (N, T) to (N, T, labels)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 128)
        self.lstm = nn.LSTM(128, 256, num_layers=2, batch_first=True, bidirectional=True)
        self.labels = nn.Linear(512, LABELS)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.embedding(words))
        result: torch.Tensor = self.labels(states)
        return result


def _vision(name: str) -> Architecture:
    return Architecture(name, "torchvision", made("torchvision.models", name, weights=None), images(224))


_bert = returning("BertConfig", "BertModel", "input_ids attention_mask", "last_hidden_state pooler_output")
_sentences: Inputs = sentences(64)
MODELS: dict[str, Architecture] = {
    "ResNet-50": _vision("resnet50"),
    "MobileNetV2": _vision("mobilenet_v2"),
    "BERT-base": Architecture("bert", "transformers", _bert, _sentences),
    "ViT-B/16": _vision("vit_b_16"),
    "LSTM": Architecture("lstm", "own", Tagger, sentences(50, mask=False)),
}


def source(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The source module, the same in every process, and its inputs."""
    torch.manual_seed(0)
    row = MODELS[name]
    inputs = row.inputs(BATCH)
    return perturb(row.build().eval(), inputs), inputs


def leaves(outputs: Any) -> list[np.ndarray[Any, Any]]:
    """The outputs as arrays, in their order."""
    found = outputs.values() if isinstance(outputs, dict) else outputs
    return [each.detach().numpy() for each in ([found] if isinstance(found, torch.Tensor) else found)]


def export(name: str, folder: Path) -> None:
    """Writes the folder; `facts.json` comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    module, inputs = source(name)
    torch.backends.mha.set_fastpath_enabled(False)  # the older exporter does not know its operator
    with torch.no_grad():
        outputs = leaves(module(*inputs))
        torch.onnx.export(module, inputs, folder / "dynamo.onnx", dynamo=True, external_data=False, verbose=False)
        torch.onnx.export(module, inputs, folder / "script.onnx", dynamo=False, opset_version=SCRIPT_OPSET)
    arrays = {f"input{index}": each.numpy() for index, each in enumerate(inputs)}
    np.savez(folder / "data.npz", **arrays, **{f"output{index}": each for index, each in enumerate(outputs)})
    parameters = sum(each.numel() for each in module.parameters())
    facts = {"parameters": parameters, "permutes": permutes(module, inputs), "batch": BATCH}
    (folder / "facts.json").write_text(json.dumps(facts))


def main() -> None:
    """Exports one model, or writes Interlingua's code for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generate", action="store_true", help="write Interlingua's code instead of ONNX")
    options = parser.parse_args()
    if not options.generate:
        export(options.name, options.folder)
        return
    module, inputs = source(options.name)
    interlingua.convert(module, "torch", options.folder, example_inputs=inputs, verify=False, force=True)


if __name__ == "__main__":
    main()
