"""Converted from swin_t of torchvision."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Permute(nn.Module):
    """misc.py, line 321."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1)


class ShiftedWindowAttention(nn.Module):
    """swin_transformer.py, lines 298 to 299."""

    def __init__(self, features, num_heads, size):
        super().__init__()
        self.num_heads = num_heads
        self.features = features
        self.size = size
        self.relative_position_bias_table = nn.Parameter(torch.empty(169, num_heads))
        self.register_buffer("relative_position_index", torch.empty(2401, dtype=torch.int64))
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)

    def forward(self, x):
        relative_position_bias_table = self.relative_position_bias_table[
            self.relative_position_index
        ]
        attn_mask = relative_position_bias_table.reshape(49, 49, -1).permute(2, 0, 1).unsqueeze(0)
        x = x.reshape(-1, self.size, 7, self.size, 7, self.features)
        x = x.transpose(2, 3).reshape(-1, 49, self.features)
        query, key, value = self.qkv(x).chunk(3, dim=2)
        x = (
            F.scaled_dot_product_attention(
                query.unflatten(-1, (self.num_heads, -1)).transpose(1, 2),
                key.unflatten(-1, (self.num_heads, -1)).transpose(1, 2),
                value.unflatten(-1, (self.num_heads, -1)).transpose(1, 2),
                attn_mask=attn_mask,
            )
            .transpose(1, 2)
            .flatten(2)
        )
        x = self.proj(x).reshape(-1, self.size, self.size, 7, 7, self.features)
        x = x.transpose(2, 3)
        return x.reshape(-1, 7 * self.size, 7 * self.size, self.features)


class ShiftedWindowAttention_2(nn.Module):
    """swin_transformer.py, lines 298 to 299."""

    def __init__(self, features, num_heads, window_mask_size, size):
        super().__init__()
        self.num_heads = num_heads
        self.features = features
        self.window_mask_size = window_mask_size
        self.size = size
        self.relative_position_bias_table = nn.Parameter(torch.empty(169, num_heads))
        self.register_buffer("relative_position_index", torch.empty(2401, dtype=torch.int64))
        self.qkv = nn.Linear(features, 3 * features)
        self.register_buffer(
            "window_mask", torch.empty(window_mask_size, 1, 49, 49), persistent=False
        )
        self.proj = nn.Linear(features, features)

    def forward(self, x):
        relative_position_bias_table = self.relative_position_bias_table[
            self.relative_position_index
        ]
        relative_position_bias_table = (
            relative_position_bias_table.reshape(49, 49, -1).permute(2, 0, 1).unsqueeze(0)
        )
        x = torch.roll(x, shifts=(-3, -3), dims=(1, 2))
        x = x.reshape(-1, self.size, 7, self.size, 7, self.features)
        x = x.transpose(2, 3).reshape(-1, 49, self.features)
        x = self.qkv(x).reshape(-1, 49, 3, self.num_heads, 32)
        query, key, value = x.permute(2, 0, 3, 1, 4).unbind()
        relative_position_bias_table = relative_position_bias_table + self.window_mask
        query = query.reshape(-1, self.num_heads * self.window_mask_size, 49, 32)
        key = key.reshape(-1, self.num_heads * self.window_mask_size, 49, 32)
        value = value.reshape(-1, self.num_heads * self.window_mask_size, 49, 32)
        attn_mask = relative_position_bias_table.reshape(
            self.num_heads * self.window_mask_size, 49, 49
        )
        x = F.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)
        x = x.reshape(-1, self.num_heads, 49, 32).transpose(1, 2)
        x = x.reshape(-1, 49, self.features)
        x = self.proj(x).reshape(-1, self.size, self.size, 7, 7, self.features)
        x = x.transpose(2, 3)
        x = x.reshape(-1, 7 * self.size, 7 * self.size, self.features)
        return torch.roll(x, shifts=(3, 3), dims=(1, 2))


class PatchMerging(nn.Module):
    """swin_transformer.py, lines 83 to 85."""

    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.reduction = nn.Linear(features, features // 2, bias=False)

    def forward(self, x):
        y = x[:, ::2, ::2]
        y_2 = x[:, 1::2, ::2]
        y_3 = x[:, ::2, 1::2]
        x = x[:, 1::2, 1::2]
        x = torch.cat([y, y_2, y_3, x], dim=-1)
        x = self.norm(x)
        return self.reduction(x)


class SwinTransformerBlock(nn.Module):
    """swin_transformer.py, lines 453 to 454."""

    def __init__(self, features, attn):
        super().__init__()
        self.norm1 = nn.LayerNorm(features)
        self.attn = attn
        self.norm2 = nn.LayerNorm(features)
        self.mlp = nn.Sequential(
            nn.Linear(features, 4 * features),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(4 * features, features),
            nn.Dropout(0.0),
        )

    def forward(self, x):
        out = self.norm1(x)
        x = x + self.attn(out)
        out_2 = self.norm2(x)
        return x + self.mlp(out_2)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 96, 4, stride=4), Permute(), nn.LayerNorm(96)),
            nn.Sequential(
                SwinTransformerBlock(96, ShiftedWindowAttention(96, 3, 8)),
                SwinTransformerBlock(96, ShiftedWindowAttention_2(96, 3, 64, 8)),
            ),
            PatchMerging(384),
            nn.Sequential(
                SwinTransformerBlock(192, ShiftedWindowAttention(192, 6, 4)),
                SwinTransformerBlock(192, ShiftedWindowAttention_2(192, 6, 16, 4)),
            ),
            PatchMerging(768),
            nn.Sequential(
                SwinTransformerBlock(384, ShiftedWindowAttention(384, 12, 2)),
                SwinTransformerBlock(384, ShiftedWindowAttention_2(384, 12, 4, 2)),
                SwinTransformerBlock(384, ShiftedWindowAttention(384, 12, 2)),
                SwinTransformerBlock(384, ShiftedWindowAttention_2(384, 12, 4, 2)),
                SwinTransformerBlock(384, ShiftedWindowAttention(384, 12, 2)),
                SwinTransformerBlock(384, ShiftedWindowAttention_2(384, 12, 4, 2)),
            ),
            PatchMerging(1536),
            nn.Sequential(
                SwinTransformerBlock(768, ShiftedWindowAttention(768, 24, 1)),
                SwinTransformerBlock(768, ShiftedWindowAttention(768, 24, 1)),
            ),
        )
        self.norm = nn.LayerNorm(768)
        self.head = nn.Linear(768, 1000)

    def forward(self, x):
        x = self.features(x)
        x = self.norm(x).permute(0, 3, 1, 2).mean(dim=(-2, -1), keepdim=True)
        x = x.flatten(1)
        return self.head(x)


def load(weights=WEIGHTS):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    state = load_file(weights)
    for name in [name for name in state if name not in model.state_dict()]:
        model.get_buffer(name).copy_(state.pop(name))
    model.load_state_dict(state)
    return model.eval()
