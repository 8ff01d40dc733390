"""Writes docs/gallery/: model.py of five architectures of the zoo, without their weights; run in the zoo's environment.

`gallery.py [--to FOLDER] [NAME ...]`. The same source gives the same text, byte for byte: the tests compare.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import torch  # noqa: TID251  (runs in the environment of the zoo alone)

from interlingua import pipeline, plugin
from interlingua.artifact import ReadOptions

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "gallery"
NAMES = ("resnet50", "mobilenet_v2", "vit_b_16", "swin_t", "bert")


def main() -> int:
    """Writes the named files, or all five."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--to", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(2)
    arguments.to.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        text = generated(name)
        (arguments.to / f"{name}.py").write_text(text, encoding="utf-8")
        print(f"{name}: {len(text.splitlines())} lines", flush=True)
    return 0


def generated(name: str) -> str:
    """The text of model.py for an architecture of the zoo, its batch open."""
    sys.path.insert(0, str(ROOT / "tests" / "zoo"))
    try:
        architectures, one = importlib.import_module("architectures"), importlib.import_module("one")
    finally:
        sys.path.pop(0)
    row = architectures.ALL[name]
    torch.manual_seed(0)
    program = one.exported(row.build().eval(), row, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.pt2"
        torch.export.save(program, path)
        source = pipeline.read(path, ReadOptions())
        title = f"{name} of {row.library}"
        pipeline.write(source.model, plugin.framework("torch"), Path(folder), title=title, dry=True)
        return (Path(folder) / "model.py").read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())
