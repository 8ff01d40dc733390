"""Runs transformers by code that PyTorch can export.

`nn.Transformer` has a fast path of inference that asks masks for their values, and sets what an encoder gives for
padding to zero; the library of Hugging Face multiplies by a mixture's experts in groups, by an operator of its own.
"""

import contextlib

import torch
from torch.nn.modules import transformer

EXPERTS = "_experts_implementation"
GROUPED = ("grouped_mm", "deepgemm")
"""What a configuration calls how it multiplies by experts, and the ways that PyTorch does not export."""

SWITCH = "onnx_export"
"""What a configuration calls that its model is exported, so that it should do without tricks of memory."""


def _as_said(mask, is_causal=None, size=None):
    """Whether a mask is causal, by what was said of it: PyTorch would compare its values, which tracing lacks."""
    return is_causal is True


@contextlib.contextmanager
def plain():
    """`nn.Transformer` without its fast path, and with masks as they are given, while the block lasts."""
    enabled, detect = torch.backends.mha.get_fastpath_enabled(), transformer._detect_is_causal_mask
    torch.backends.mha.set_fastpath_enabled(False)
    transformer._detect_is_causal_mask = _as_said
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
        transformer._detect_is_causal_mask = detect


@contextlib.contextmanager
def exportable(module):
    """What the library of Hugging Face offers to exporters, said to its configurations while the block lasts.

    The experts of a mixture are batches of products. `onnx_export` makes Longformer cut its windows out of a tensor
    instead of its memory, of which the exporter of TorchScript forgets the strides.
    """
    configs = {id(config): config for config in (getattr(each, "config", None) for each in module.modules())}
    said = [(config, EXPERTS, "batched_mm") for config in configs.values() if getattr(config, EXPERTS, None) in GROUPED]
    said += [(config, SWITCH, True) for config in configs.values() if getattr(config, SWITCH, None) is False]
    kept = [(config, name, getattr(config, name)) for config, name, _ in said]
    for config, name, value in said:
        setattr(config, name, value)
    try:
        yield
    finally:
        for config, name, value in kept:
            setattr(config, name, value)


@contextlib.contextmanager
def watched(module):
    """A list that gets a note for each encoder of the module that is called with padding while the block lasts."""
    notes, handles = [], []

    def hook(path):
        def see(encoder, args, kwargs):
            mask = args[2] if len(args) > 2 else kwargs.get("src_key_padding_mask")
            text = "what it gives for padding is what its layers compute; PyTorch's fast path would give zeros"
            note = ["Assumed", path or "the encoder", text]
            if mask is not None and note not in notes:
                notes.append(note)

        return see

    if not isinstance(module, torch.jit.ScriptModule):
        for path, each in module.named_modules():
            if isinstance(each, torch.nn.TransformerEncoder) and each.use_nested_tensor:
                handles.append(each.register_forward_pre_hook(hook(path), with_kwargs=True))
    try:
        yield notes
    finally:
        for handle in handles:
            handle.remove()
