"""Converted from vit_b_16 of torchvision."""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_model
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class EncoderBlock(nn.Module):
    """vision_transformer.py, lines 112 to 119."""

    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(768, eps=1e-06)
        self.self_attention = nn.MultiheadAttention(768, 12, batch_first=True)
        self.dropout = nn.Dropout(0.0)
        self.ln_2 = nn.LayerNorm(768, eps=1e-06)
        self.mlp = nn.Sequential(
            nn.Linear(768, 3072), nn.GELU(), nn.Dropout(0.0), nn.Linear(3072, 768), nn.Dropout(0.0)
        )

    def forward(self, x):
        out = self.ln_1(x)
        out = self.self_attention(out, out, out, need_weights=False)[0]
        x = self.dropout(out) + x
        out_2 = self.ln_2(x)
        return x + self.mlp(out_2)


class Encoder(nn.Module):
    """vision_transformer.py, lines 156 to 157."""

    def __init__(self):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, 197, 768))
        self.dropout = nn.Dropout(0.0)
        self.layers = nn.Sequential(
            OrderedDict([(f"encoder_layer_{i}", EncoderBlock()) for i in range(12)])
        )
        self.ln = nn.LayerNorm(768, eps=1e-06)

    def forward(self, x):
        x = x + self.pos_embedding
        x = self.dropout(x)
        x = self.layers(x)
        return self.ln(x)


class Model(nn.Module):
    """vision_transformer.py, lines 291 to 301."""

    def __init__(self):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, 768, 16, stride=16)
        self.class_token = nn.Parameter(torch.empty(1, 1, 768))
        self.encoder = Encoder()
        self.heads = nn.Sequential(OrderedDict([("head", nn.Linear(768, 1000))]))

    def forward(self, x):
        size = x.shape[0]
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        expand = self.class_token.expand(size, -1, -1)
        x = torch.cat([expand, x], dim=1)
        x = self.encoder(x)[:, 0]
        return self.heads(x)


def load(weights=WEIGHTS):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    load_model(model, weights)
    return model.eval()
