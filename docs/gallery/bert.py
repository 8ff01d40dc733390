"""Converted from bert of transformers."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")


class BertEmbeddings(nn.Module):
    """modeling_bert.py, lines 94 to 107."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gather", torch.empty(1, 9, dtype=torch.int64), persistent=False)
        self.word_embeddings = nn.Embedding(30522, 768)
        self.token_type_embeddings = nn.Embedding(2, 768)
        self.position_embeddings = nn.Embedding(512, 768)
        self.register_buffer("slice", torch.empty(1, 9, dtype=torch.int64), persistent=False)
        self.LayerNorm = nn.LayerNorm(768, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        size = x.shape[0]
        expand = self.gather.expand(size, -1)
        x = self.word_embeddings(x)
        x = x + self.token_type_embeddings(expand)
        x = x + self.position_embeddings(self.slice)
        x = self.LayerNorm(x)
        return self.dropout(x)


class BertSelfAttention(nn.Module):
    """modeling_bert.py, lines 175 to 202."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(768, 768)
        self.key = nn.Linear(768, 768)
        self.value = nn.Linear(768, 768)

    def forward(self, x, attn_mask):
        query = self.query(x)
        key = self.key(x)
        value = self.value(x)
        return (
            F.scaled_dot_product_attention(
                query.unflatten(-1, (12, -1)).transpose(1, 2),
                key.unflatten(-1, (12, -1)).transpose(1, 2),
                value.unflatten(-1, (12, -1)).transpose(1, 2),
                attn_mask=attn_mask,
            )
            .transpose(1, 2)
            .flatten(2)
        )


class BertSelfOutput(nn.Module):
    """modeling_bert.py, lines 290 to 292."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(768, 768)
        self.dropout = nn.Dropout(0.1)
        self.LayerNorm = nn.LayerNorm(768, eps=1e-12)

    def forward(self, x, y):
        x = self.dense(x)
        x = self.dropout(x) + y
        return self.LayerNorm(x)


class BertIntermediate(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(768, 3072)

    def forward(self, x):
        return F.gelu(self.dense(x))


class BertOutput(nn.Module):
    """modeling_bert.py, lines 348 to 350."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(3072, 768)
        self.dropout = nn.Dropout(0.1)
        self.LayerNorm = nn.LayerNorm(768, eps=1e-12)

    def forward(self, x, y):
        x = self.dense(x)
        x = self.dropout(x) + y
        return self.LayerNorm(x)


class BertPooler(nn.Module):
    """modeling_bert.py, lines 460 to 462."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(768, 768)

    def forward(self, x):
        x = x[:, 0]
        return torch.tanh(self.dense(x))


class BertAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.self = BertSelfAttention()
        self.output = BertSelfOutput()

    def forward(self, x, attn_mask):
        self_2 = self.self(x, attn_mask)
        return self.output(self_2, x)


class BertLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = BertAttention()
        self.intermediate = BertIntermediate()
        self.output = BertOutput()

    def forward(self, x, attn_mask):
        x = self.attention(x, attn_mask)
        intermediate = self.intermediate(x)
        return self.output(intermediate, x)


class BertEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleList([BertLayer() for _ in range(12)])

    def forward(self, x, attn_mask):
        for layer in self.layer:
            x = layer(x, attn_mask)
        return x


class BertModel(nn.Module):
    """modeling_bert.py, line 661."""

    def __init__(self):
        super().__init__()
        self.embeddings = BertEmbeddings()
        self.encoder = BertEncoder()
        self.pooler = BertPooler()

    def forward(self, x, tensors):
        size = x.shape[0]
        x = self.embeddings(x)
        attn_mask = tensors.bool()[:size].unsqueeze(1).unsqueeze(2)
        x = self.encoder(x, attn_mask)
        pooler = self.pooler(x)
        return x, pooler


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = BertModel()

    def forward(self, tensors_0, tensors_1):
        x, model = self.model(tensors_0, tensors_1)
        return x, model


def load(weights=WEIGHTS):
    """The model with its weights, in inference mode; `.train()` goes on training it."""
    model = Model()
    state = load_file(weights)
    for name in [name for name in state if name not in model.state_dict()]:
        model.get_buffer(name).copy_(state.pop(name))
    model.load_state_dict(state)
    return model.eval()
