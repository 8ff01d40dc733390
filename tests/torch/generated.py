"""A module converted from memory to PyTorch beside its source."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree

import interlingua


class Generated:
    """A module written as PyTorch: its text, and the model with the source's weights."""

    def __init__(self, module: nn.Module, example: tuple[Any, ...], out: Path, **options: Any) -> None:
        torch.manual_seed(0)
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
        self.source = module.eval()
        self.example = example
        interlingua.convert(self.source, "torch", out, example_inputs=example, verify=False, **options)
        self.text = (out / "model.py").read_text("utf-8")
        self.model: nn.Module = runpy.run_path(str(out / "model.py"))["load"]()

    def proved(self) -> Generated:
        """Itself, where results and state dict are the source's."""
        with torch.no_grad():
            wanted, found = self.source(*self.example), self.model(*self.example)
        assert _pytree.tree_structure(wanted) == _pytree.tree_structure(found)
        for left, right in zip(_pytree.tree_leaves(wanted), _pytree.tree_leaves(found), strict=True):
            if left is not None:
                assert left.dtype == right.dtype
                torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)
        fresh = {key: torch.zeros_like(value) for key, value in self.model.state_dict().items()}
        self.model.load_state_dict(fresh)
        self.model.load_state_dict(self.source.state_dict(), strict=True)
        with torch.no_grad():
            again = _pytree.tree_leaves(self.model(*self.example))
        pairs = zip(again, _pytree.tree_leaves(found), strict=True)
        assert all(left is right is None or torch.equal(left, right) for left, right in pairs)
        assert self.trained(self.model) == self.trained(self.source)
        return self

    @staticmethod
    def trained(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)

    def lines(self, start: str) -> list[str]:
        """The lines of the class that begins with `start`."""
        return self.text.partition(f"class {start}")[2].partition("\nclass ")[0].splitlines()

    @property
    def classes(self) -> list[str]:
        return [
            line.partition(" ")[2].partition("(")[0] for line in self.text.splitlines() if line.startswith("class ")
        ]
