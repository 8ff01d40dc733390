"""What a generated module is measured by beside its source."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from interlingua.ir.origin import evaluate, is_permutation, parse

GRADIENTS = 1e-3
OUTPUTS = 1e-4
FLOOR = 1e-5
"""Gradients below this share of the greatest one are noise: a key's bias has none in exact arithmetic."""


def outputs_agree(module: nn.Module, generated: nn.Module, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """The largest relative difference of any output."""
    with torch.no_grad():
        reference = tensors(module(*inputs))
        other = tensors(generated(*inputs))
    worst = _worst(reference, other)
    return {"agrees": worst <= OUTPUTS, "relative": float(f"{worst:.2g}")}


def _worst(reference: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    if len(reference) != len(other) or any(a.shape != b.shape for a, b in zip(reference, other, strict=False)):
        return float("inf")
    pairs = zip(reference, other, strict=True)
    return max(_known(float((a - b).abs().max()) / max(float(a.abs().max()), 1e-30)) for a, b in pairs)


def _known(relative: float) -> float:
    """A difference that can be ordered: one that is no number is infinite, for NaN is neither more nor less."""
    return math.inf if math.isnan(relative) else relative


def tensors(outputs: Any) -> list[torch.Tensor]:
    """The tensors of a nested result, in order."""
    return [leaf for leaf in _pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


def state_dict_loads(
    module: nn.Module, generated: nn.Module, inputs: tuple[Any, ...], unused: set[str]
) -> dict[str, Any]:
    """Whether the source's state dict, but for what its graph never reads, loads strictly and means the same.

    Values are moved before, so that a dict that loads into the wrong places changes the outputs.
    """
    state = module.state_dict()
    wanted = set(generated.state_dict())
    missing = sorted(wanted - set(state))
    unexpected = sorted(set(state) - wanted)
    left = [name for name in unexpected if name in unused]
    found: dict[str, Any] = {"loads": False, "left_out": len(left)}
    lost = [name for name in unexpected if name not in unused]
    if missing or lost:
        return {**found, "missing": missing[:5], "unexpected": lost[:5], "differing": len(missing) + len(lost)}
    with torch.no_grad():
        for parameter in generated.parameters():
            parameter.mul_(0.5)
    generated.load_state_dict({name: value for name, value in state.items() if name in wanted}, strict=True)
    told = outputs_agree(module, generated, inputs)
    return {**found, "loads": bool(told["agrees"]), "relative": told["relative"]}


def gradients_agree(
    module: nn.Module,
    generated: nn.Module,
    inputs: tuple[Any, ...],
    origins: Mapping[str, str],
    unused: set[str],
) -> dict[str, Any]:
    """The largest relative difference of any parameter's gradient; both in evaluation, from one fixed loss.

    `origins` gives each weight of the generated module as an expression over the source's; the gradient of a
    permuted weight is the permuted gradient. Where the gradients differ in float32, they are compared in float64, to
    the same tolerance, if both modules take it: a unit of a ReLU whose argument is nearer to zero than float32 rounds
    has either one-sided gradient there, so that two right models differ, while a wrong one differs in both types. What
    float32 gave is told too, and must be finite. What the code itself says is float32 is float64 then.
    """
    found = _compared(module, generated, inputs, origins, unused)
    if found["agrees"] or "reason" in found or not math.isfinite(found["relative"]):
        return found
    try:
        with torch.no_grad():
            for each in (module, generated):
                each(*inputs)  # what it keeps of a call, as RAFT does, is copied only without a gradient
        wide = [copy.deepcopy(each).double() for each in (module, generated)]
        with _Widened():  # type: ignore[no-untyped-call]
            told = _compared(wide[0], wide[1], _doubled(inputs), origins, unused)
    except (RuntimeError, TypeError, ValueError) as error:  # a type that the code itself fixes
        return {**found, "reason": f"not in float64: {type(error).__name__}"}
    return {**told, "dtype": "float64", "float32": {key: found[key] for key in ("relative", "worst")}}


class _Widened(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Computes in float64 what code asks for in float32: `x.float()`, `torch.zeros(3, dtype=torch.float32)`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        wide = _pytree.tree_map(lambda leaf: torch.float64 if leaf is torch.float32 else leaf, (args, kwargs or {}))
        return func(*wide[0], **wide[1])


def _doubled(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    def doubled(leaf: Any) -> Any:
        return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    found: tuple[Any, ...] = _pytree.tree_map(doubled, inputs)
    return found


def _compared(
    module: nn.Module,
    generated: nn.Module,
    inputs: tuple[Any, ...],
    origins: Mapping[str, str],
    unused: set[str],
) -> dict[str, Any]:
    theirs = {name: value for name, value in _gradients(module, inputs).items() if name not in unused}
    ours = _gradients(generated, inputs)
    greatest = max(float(np.abs(value).max(initial=0.0)) for value in theirs.values())
    worst, place, compared = 0.0, "", 0
    for name, gradient in ours.items():
        expression = parse(origins.get(name, name))
        if not is_permutation(expression):
            return {"agrees": False, "reason": f"{name} is {origins.get(name, name)}"}
        reference = evaluate(expression, theirs)
        scale = max(float(np.abs(reference).max(initial=0.0)), FLOOR * greatest)
        relative = _known(float(np.abs(reference - gradient).max(initial=0.0)) / scale)
        compared += 1
        if relative > worst:
            worst, place = relative, name
    whole = len(theirs) == compared
    return {
        "agrees": bool(worst <= GRADIENTS and whole),
        "relative": float(f"{worst:.2g}"),
        "worst": place,
        "parameters": compared,
        **({} if whole else {"reason": f"{compared} gradients of {len(theirs)}"}),
    }


def _gradients(module: nn.Module, inputs: tuple[Any, ...]) -> dict[str, np.ndarray[Any, Any]]:
    module.zero_grad()
    generator = torch.Generator().manual_seed(3)
    floats = [output for output in tensors(module(*inputs)) if output.is_floating_point() and output.requires_grad]
    loss = sum((output * torch.randn(output.shape, generator=generator)).mean() for output in floats)
    assert isinstance(loss, torch.Tensor)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {}
    for name, parameter in module.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        found[name] = gradient.numpy().copy()
    module.zero_grad()
    return found
