"""Modules that exporters spell in small operators; as a script, exports them: `raising_sources.py torch|script|tf OUT`.

Run in a process of its own: torch and TensorFlow do not share one.
"""

from __future__ import annotations

import sys
from pathlib import Path


def torch_cases():
    import math

    import torch
    import torch.nn.functional as F
    from torch import nn

    class Function(nn.Module):
        """A function of the inputs as a module."""

        def __init__(self, function, **parameters):
            super().__init__()
            self.function = function
            for name, value in parameters.items():
                setattr(self, name, value)

        def forward(self, *inputs):
            return self.function(self, *inputs)

    def layer_norm(self, x):
        mean = x.mean(-1, keepdim=True)
        variance = (x - mean).pow(2).mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + 1e-6) * self.weight + self.bias

    def layer_norm_by_rsqrt(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean(-1, keepdim=True) + 1e-5) * self.weight + self.bias

    def bare_layer_norm(self, x):
        return F.layer_norm(x, (16,))

    def rms_norm(self, x):
        kept = x.dtype
        y = x.to(torch.float32)
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * y.to(kept)

    def channels_first_layer_norm(self, x):
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * ((x - mean) / torch.sqrt(variance + 1e-6)) + self.bias[:, None, None]

    def affine_batch_norm(self, x):
        return (x - self.mean) / torch.sqrt(self.variance + 1e-3) * self.weight + self.bias

    def new_gelu(self, x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))

    def cube_gelu(self, x):
        return x * 0.5 * (1.0 + torch.tanh(0.7978845608 * x * (1.0 + 0.044715 * x * x)))

    def erf_gelu(self, x):
        return x * (torch.erf(x / math.sqrt(2.0)) + 1.0) * 0.5

    def late_gelu(self, x):
        return 0.5 * (x * (1 + torch.erf(x * 0.7071067811865476)))

    def hard_swish(self, x):
        return x * F.relu6(x + 3) / 6

    def attention(q, k, v, mask=None):
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + mask
        return torch.matmul(scores.softmax(-1), v)

    def causal(self, q, k, v):
        size = q.shape[-2]
        mask = torch.full((size, size), float("-inf")).triu(1)
        return attention(q, k, v, mask)

    def padded(self, q, k, v, keep):
        bias = (1.0 - keep[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        return attention(q, k, v, bias)

    def filled(self, q, k, v, keep):
        scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-2, -1))
        scores = scores.masked_fill(~keep[:, None, None, :], -1e9)
        return torch.matmul(scores.softmax(-1), v)

    def groups(self, q, k, v):
        b, h, s, d = k.shape
        k = k[:, :, None].expand(b, h, 2, s, d).reshape(b, 2 * h, s, d)
        v = v[:, :, None].expand(b, h, 2, s, d).reshape(b, 2 * h, s, d)
        return attention(q, k, v)

    def interleaved_groups(self, q, k, v):
        return attention(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1))

    def merged_heads(self, x):
        b, s, _ = x.shape
        q, k, v = (each(x).view(b, s, 4, 4).transpose(1, 2) for each in self.projections)
        return attention(q, k, v).transpose(1, 2).contiguous().view(b, s, 16) * 2

    def packed_heads(self, x):
        b, s, c = x.shape
        q, k, v = self.qkv(x).reshape(b, s, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
        return attention(q, k, v).transpose(1, 2).reshape(b, s, c) * 2

    def sliced_heads(self, x):
        q, k, v = (each.unflatten(-1, (4, 4)).transpose(1, 2) for each in self.qkv(x).split(16, -1))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2) * 2

    def windowed(self, x):
        q, k, v = (each.unflatten(-1, (4, 4)).transpose(2, 3) for each in self.qkv(x).chunk(3, -1))
        return attention(q, k, v, self.bias).transpose(2, 3).flatten(3) * 2

    def shifted_windows(self, x):
        """As in Swin: windows of a batch of images, each with the mask of its place in the image."""
        x = x.flatten(0, 1)
        n, s, c = x.shape
        q, k, v = self.qkv(x).reshape(n, s, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * 0.5) @ k.transpose(-2, -1) + self.bias.unsqueeze(0)
        scores = scores.view(n // 3, 3, 4, s, s) + self.mask.unsqueeze(1).unsqueeze(0)
        x = scores.view(-1, 4, s, s).softmax(-1) @ v
        return x.transpose(1, 2).reshape(n // 3, 3, s, c) * 2

    def cosines(self, q, k, v):
        """As in Swin v2: a trained scale for each head."""
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return (scores * self.scale.clamp(max=4.6).exp() + self.bias).softmax(-1) @ v

    def equations(self, x):
        b, s, c = x.shape
        q, k, v = (each(x).view(b, s, 4, 4) for each in self.projections)
        weights = (torch.einsum("bqhd,bkhd->bhqk", q, k) * 0.5).softmax(-1)
        return torch.einsum("bhqk,bkhd->bqhd", weights, v).reshape(b, s, c) * 2

    def batched(self, q, k, v):
        return torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)) * q.shape[-1] ** -0.5, -1), v)

    def sdpa(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)

    def sdpa_causal(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def sdpa_masked(self, q, k, v, keep):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None, :])

    def sdpa_biased(self, q, k, v, bias):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=0.3)

    def sdpa_groups(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    def turn_half(x):
        half = x.shape[-1] // 2
        return torch.cat((-x[..., half:], x[..., :half]), -1)

    def rotary(self, q, k, position):
        angles = position[:, :, None].to(torch.float32) * self.frequencies
        angles = torch.cat((angles, angles), -1)
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        return q * cos + turn_half(q) * sin, k * cos + turn_half(k) * sin

    def rotary_neighbours(self, x, cos, sin):
        turned = torch.stack((-x[..., 1::2], x[..., ::2]), -1).reshape(x.shape)
        return x * cos + turned * sin

    def shuffled(self, x):
        n, c, h, w = x.shape
        return x.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)

    def pixels_crd(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)

    def pixels_dcr(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)

    def blocks(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)

    def windows(self, x):
        n, h, w, c = x.shape
        return x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)

    def rolled(self, x):
        return torch.roll(x, (-1, 2), (1, 2)) * 2

    def chunked_glu(self, x):
        a, b = x.chunk(2, -1)
        return a * torch.sigmoid(b)

    def scaled_softmax(self, x):
        y = torch.exp(x - x.amax(-1, keepdim=True))
        return y / y.sum(-1, keepdim=True)

    def unit(self, x):
        return x / x.norm(dim=-1, keepdim=True)

    def product(self, x, y):
        return torch.einsum("bhqd,bhkd->bhqk", x, y)

    def parameter(*shape):
        generator = torch.Generator().manual_seed(len(shape) + sum(shape))
        return nn.Parameter(torch.rand(*shape, generator=generator) + 0.5)

    def random(*shape, seed=0):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    affine = {"weight": parameter(16), "bias": parameter(16)}
    maps = {"weight": parameter(8), "bias": parameter(8)}
    x = random(2, 5, 16)
    image = random(2, 8, 6, 4)
    heads = tuple(random(2, 4, 5, 8, seed=i) for i in range(3))
    keep = torch.tensor([[True, True, False, True, False], [True, True, True, True, True]])
    statistics = {name: nn.Parameter(torch.rand(8, 1, 1) + 0.5) for name in ("mean", "variance", "weight", "bias")}

    def simple(function):
        return Function(lambda self, x: function(x)), (x,)

    torch.manual_seed(0)
    mha = nn.MultiheadAttention(16, 4, batch_first=True)
    self_attention = Function(lambda self, x: self.inner(x, x, x, need_weights=False)[0], inner=mha)
    averaged = Function(lambda self, x: self.inner(x, x, x, average_attn_weights=False), inner=mha)
    qkv = nn.Linear(16, 48)
    projections = nn.ModuleList([nn.Linear(16, 16) for _ in range(3)])
    places = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1))
    few = (heads[0], heads[1][:, :2], heads[2][:, :2])
    group_norm = nn.GroupNorm(4, 8, eps=1e-4)
    instance_norm = nn.InstanceNorm2d(8, affine=True)
    for module in (group_norm, instance_norm):
        nn.init.uniform_(module.weight, 0.5, 1.5)
        nn.init.uniform_(module.bias)
    return {
        "layer_norm": (Function(layer_norm, **affine), (x,)),
        "layer_norm_by_rsqrt": (Function(layer_norm_by_rsqrt, **affine), (x,)),
        "nn_layer_norm": (nn.LayerNorm(16, eps=1e-6), (x,)),
        "nn_layer_norm_of_two": (nn.LayerNorm((5, 16)), (x,)),
        "bare_layer_norm": (Function(bare_layer_norm), (x,)),
        "rms_norm": (Function(rms_norm, weight=parameter(16)), (x,)),
        "nn_rms_norm": (nn.RMSNorm(16, eps=1e-6), (x,)),
        "channels_first_layer_norm": (Function(channels_first_layer_norm, **maps), (image,)),
        "group_norm": (group_norm, (image,)),
        "instance_norm": (instance_norm, (image,)),
        "batch_norm": (Function(affine_batch_norm, **statistics), (image,)),
        "gelu": simple(F.gelu),
        "tanh_gelu": simple(lambda x: F.gelu(x, approximate="tanh")),
        "new_gelu": (Function(new_gelu), (x,)),
        "cube_gelu": (Function(cube_gelu), (x,)),
        "erf_gelu": (Function(erf_gelu), (x,)),
        "late_gelu": (Function(late_gelu), (x,)),
        "quick_gelu": simple(lambda x: x * torch.sigmoid(1.702 * x)),
        "silu": simple(F.silu),
        "mish": simple(F.mish),
        "written_mish": simple(lambda x: x * torch.tanh(F.softplus(x))),
        "hard_swish": simple(F.hardswish),
        "written_hard_swish": (Function(hard_swish), (x,)),
        "hard_sigmoid": simple(F.hardsigmoid),
        "written_hard_sigmoid": simple(lambda x: F.relu6(x + 3) / 6),
        "softplus": simple(F.softplus),
        "sharp_softplus": simple(lambda x: F.softplus(x, beta=2.0)),
        "log_exp": simple(lambda x: torch.log(1 + torch.exp(x))),
        "leaky": simple(lambda x: torch.where(x >= 0, x, 0.1 * x)),
        "largest_leaky": simple(lambda x: torch.maximum(x, 0.2 * x)),
        "elu": simple(lambda x: torch.where(x > 0, x, 0.7 * (torch.exp(x) - 1))),
        "relu6": simple(F.relu6),
        "attention": (Function(lambda self, *given: attention(*given)), heads),
        "causal_attention": (Function(causal), heads),
        "padded_attention": (Function(padded), (*heads, keep)),
        "filled_attention": (Function(filled), (*heads, keep)),
        "group_attention": (Function(groups), few),
        "interleaved_attention": (Function(interleaved_groups), few),
        "merged_heads": (Function(merged_heads, projections=projections), (x,)),
        "packed_heads": (Function(packed_heads, qkv=qkv), (x,)),
        "sliced_heads": (Function(sliced_heads, qkv=qkv), (x,)),
        "windowed_attention": (Function(windowed, qkv=qkv, bias=parameter(4, 5, 5)), (random(2, 3, 5, 16),)),
        "equations": (Function(equations, projections=projections), (x,)),
        "shifted_windows": (
            Function(shifted_windows, qkv=qkv, bias=parameter(4, 5, 5), mask=nn.Buffer(-100.0 * (places > 0.7))),
            (random(2, 3, 5, 16),),
        ),
        "cosine_attention": (Function(cosines, scale=parameter(4, 1, 1), bias=parameter(4, 5, 5)), heads),
        "batched_attention": (Function(batched), tuple(each.flatten(0, 1) for each in heads)),
        "sdpa": (Function(sdpa), heads),
        "sdpa_causal": (Function(sdpa_causal), heads),
        "sdpa_masked": (Function(sdpa_masked), (*heads, keep)),
        "sdpa_biased": (Function(sdpa_biased), (*heads, random(2, 4, 5, 5, seed=9))),
        "sdpa_groups": (Function(sdpa_groups), few),
        "mha": (self_attention, (x,)),
        "mha_with_weights": (averaged, (x,)),
        "rotary": (
            Function(rotary, frequencies=nn.Buffer(torch.tensor([1.0, 0.1, 0.01, 0.001]))),
            (heads[0], heads[1], torch.arange(10).reshape(2, 5)),
        ),
        "rotary_neighbours": (Function(rotary_neighbours), heads),
        "channel_shuffle": (Function(shuffled), (image,)),
        "nn_channel_shuffle": (nn.ChannelShuffle(4), (image,)),
        "pixel_shuffle": (nn.PixelShuffle(2), (image,)),
        "pixel_unshuffle": (nn.PixelUnshuffle(2), (image,)),
        "pixels_crd": (Function(pixels_crd), (image,)),
        "pixels_dcr": (Function(pixels_dcr), (image,)),
        "blocks": (Function(blocks), (image,)),
        "windows": (Function(windows), (image,)),
        "roll": (Function(rolled), (image,)),
        "glu": simple(lambda x: F.glu(x, -1)),
        "chunked_glu": (Function(chunked_glu), (x,)),
        "written_softmax": (Function(scaled_softmax), (x,)),
        "log_softmax": simple(lambda x: torch.log(torch.softmax(x, -1))),
        "log_sum_exp": simple(lambda x: torch.logsumexp(x, -1)),
        "normalize": simple(F.normalize),
        "unit": (Function(unit), (x,)),
        "einsum": (Function(product), (heads[0], heads[1])),
        "lstm": (nn.LSTM(16, 6, batch_first=True), (x,)),
        "gru": (nn.GRU(16, 6, bidirectional=True), (x,)),
    }


def export_torch(folder: Path, script: bool, names: list[str], wrapped: type) -> None:
    import warnings

    import numpy as np
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name, (module, inputs) in torch_cases().items():
        if names and name not in names:
            continue
        module.eval()
        torch.manual_seed(3)
        for parameter in module.parameters():
            parameter.data += 0.1 * torch.rand_like(parameter)
        with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            expected = module(*inputs)
            labels = [f"x{i}" for i in range(len(inputs))]
            path = str(folder / f"{name}.onnx")
            try:
                if script:
                    axes = {label: {0: "batch"} for label in labels}
                    torch.onnx.export(
                        module, inputs, path, dynamo=False, opset_version=17, input_names=labels, dynamic_axes=axes
                    )
                else:
                    shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
                    program = torch.export.export(wrapped(module), inputs, dynamic_shapes=(shapes,))
                    made = torch.onnx.export(
                        program, dynamo=True, optimize=False, opset_version=20, verbose=False, input_names=labels
                    )
                    made.save(path, external_data=False)
            except Exception as error:  # what an exporter cannot say is no source of ours
                print(f"{name}: {type(error).__name__} {str(error)[:200]}")
                continue
        flat = torch.utils._pytree.tree_leaves(expected)
        arrays = {f"in{i}": each.numpy() for i, each in enumerate(inputs)}
        arrays.update({f"out{i}": each.numpy() for i, each in enumerate(flat)})
        np.savez(folder / f"{name}.npz", **arrays)


def main(kind: str, folder: Path, names: list[str]) -> None:
    if kind == "tf":
        from raising_sources_tf import export_tensorflow

        export_tensorflow(folder, names)
        return
    import torch

    class Module(torch.nn.Module):
        """Takes its inputs in one tuple, so that one dynamic shape a tensor can be said."""

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, *inputs):
            return self.inner(*inputs)

    export_torch(folder, kind == "script", names, Module)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
