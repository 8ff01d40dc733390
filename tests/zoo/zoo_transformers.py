"""The zoo's architectures of transformers 5.23, most of them narrowed: depth and structure stay."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from zoo_rows import Architecture, Inputs
from zoo_wrappers import Cached, DecoderStep, Returning

WORDS = 500


def configured(config: str, model: str, **settings: Any) -> nn.Module:
    """A model of transformers from its configuration alone."""
    library = importlib.import_module("transformers")
    built: nn.Module = getattr(library, model)(getattr(library, config)(**settings))
    return built


def returning(
    config: str, model: str, arguments: str, fields: str, fixed: dict[str, Any] | None = None, **settings: Any
) -> Callable[[], nn.Module]:
    """A builder of a model that returns tensors by the names of `fields`."""

    def build() -> nn.Module:
        whole = configured(config, model, **settings)
        return Returning(whole, tuple(arguments.split()), tuple(fields.split()), **(fixed or {}))

    return build


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def _words(batch: int, length: int) -> torch.Tensor:
    return torch.randint(3, WORDS, (batch, length), generator=_random())


def _mask(batch: int, length: int) -> torch.Tensor:
    """A mask that hides another number of words at the end of each row."""
    return (torch.arange(length)[None] < (length - 1 - torch.arange(batch)[:, None] % 3)).long()


def sentences(length: int, *, mask: bool = True) -> Inputs:
    """Words, and a mask that is not all ones."""

    def make(batch: int) -> tuple[Any, ...]:
        return (_words(batch, length), _mask(batch, length)) if mask else (_words(batch, length),)

    return make


def noise(*shape: int) -> Inputs:
    """One batch of floats of the given shape."""

    def make(batch: int) -> tuple[Any, ...]:
        return (torch.randn(batch, *shape, generator=_random()),)

    return make


def _cache(batch: int, layers: int, heads: int, length: int, width: int) -> list[torch.Tensor]:
    generator = _random()
    return [torch.randn(batch, heads, length, width, generator=generator) for _ in range(2 * layers)]


def _gpt2_inputs(batch: int) -> tuple[Any, ...]:
    return (_words(batch, 3), *_cache(batch, 12, 4, 5, 32))


def _gpt2() -> nn.Module:
    return Cached(configured("GPT2Config", "GPT2LMHeadModel", vocab_size=WORDS, n_positions=64, n_embd=128, n_head=4))


T5 = {"vocab_size": WORDS, "d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 6, "num_heads": 4}


def _t5_decoder() -> nn.Module:
    return DecoderStep(configured("T5Config", "T5ForConditionalGeneration", **T5))


def _t5_inputs(batch: int) -> tuple[Any, ...]:
    states = torch.randn(batch, 7, 128, generator=_random())
    return (_words(batch, 1), states, _mask(batch, 7), *_cache(batch, 6, 4, 5, 32))


def _clip() -> nn.Module:
    text = {"vocab_size": WORDS, "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
    vision = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4, "image_size": 96}
    model = configured("CLIPConfig", "CLIPModel", text_config=text, vision_config=vision, projection_dim=64)
    arguments = ("input_ids", "attention_mask", "pixel_values")
    return Returning(model, arguments, ("logits_per_image", "text_embeds", "image_embeds"))


def _clip_inputs(batch: int) -> tuple[Any, ...]:
    pictures = torch.randn(batch, 3, 96, 96, generator=_random())
    return (_words(batch, 9), _mask(batch, 9), pictures)


def _detr() -> nn.Module:
    model = configured("DetrConfig", "DetrForObjectDetection", num_queries=20, num_labels=7)
    return Returning(model, ("pixel_values", "pixel_mask"), ("logits", "pred_boxes"))


def _detr_inputs(batch: int) -> tuple[Any, ...]:
    pictures = torch.randn(batch, 3, 96, 128, generator=_random())
    mask = torch.ones(batch, 96, 128, dtype=torch.long)
    mask[0, :, 100:] = 0
    return pictures, mask


def _whisper() -> nn.Module:
    settings = {"d_model": 128, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_source_positions": 50}
    encoder = configured("WhisperConfig", "WhisperModel", **settings).get_encoder()
    return Returning(encoder, ("input_features",), ("last_hidden_state",))


def row(name: str, build: Callable[[], nn.Module], inputs: Inputs, small: str = "") -> Architecture:
    """A row of this library; BERT-base is the one whose length is promised."""
    return Architecture(name, "transformers", build, inputs, lines=300 if name == "bert" else None, small=small)


NARROW = {"hidden_size": 128, "num_attention_heads": 4, "intermediate_size": 256, "vocab_size": WORDS}
_t5_encoder = returning("T5Config", "T5EncoderModel", "input_ids attention_mask", "last_hidden_state", **T5)
TEXT = "input_ids attention_mask"
NO_CACHE = {"use_cache": False}
FEW = {
    "hidden_size": 64,
    "head_dim": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "vocab_size": WORDS,
}
ROWS = (
    row("bert", returning("BertConfig", "BertModel", TEXT, "last_hidden_state pooler_output"), sentences(9)),
    row(
        "distilbert",
        returning("DistilBertConfig", "DistilBertModel", TEXT, "last_hidden_state", dim=128, n_heads=4, hidden_dim=256),
        sentences(9),
        "width 128",
    ),
    row(
        "albert",
        returning("AlbertConfig", "AlbertModel", TEXT, "last_hidden_state", embedding_size=64, **NARROW),
        sentences(9),
        "width 128",
    ),
    row("gpt2", _gpt2, _gpt2_inputs, "width 128"),
    row(
        "t5_encoder",
        returning("T5Config", "T5EncoderModel", TEXT, "last_hidden_state", **T5),
        sentences(9),
        "width 128",
    ),
    row("t5_decoder", _t5_decoder, _t5_inputs, "width 128"),
    row(
        "llama",
        returning(
            "LlamaConfig",
            "LlamaForCausalLM",
            TEXT,
            "logits",
            {"use_cache": False},
            num_hidden_layers=2,
            num_key_value_heads=2,
            **NARROW,
        ),
        sentences(9),
        "two layers, width 128",
    ),
    row(
        "mamba",
        returning(
            "MambaConfig",
            "MambaForCausalLM",
            "input_ids",
            "logits",
            {"use_cache": False},
            vocab_size=WORDS,
            hidden_size=64,
            num_hidden_layers=4,
        ),
        sentences(6, mask=False),
        "four layers, width 64",
    ),
    row(
        "whisper_encoder",
        _whisper,
        noise(80, 100),
        "a second of sound, width 128",
    ),
    row(
        "wav2vec2",
        returning(
            "Wav2Vec2Config",
            "Wav2Vec2Model",
            "input_values",
            "last_hidden_state",
            hidden_size=128,
            num_attention_heads=4,
            intermediate_size=256,
            conv_dim=(64,) * 7,
        ),
        noise(8000),
        "width 128",
    ),
    row("clip", _clip, _clip_inputs, "width 128"),
    row(
        "segformer",
        returning("SegformerConfig", "SegformerForSemanticSegmentation", "pixel_values", "logits"),
        noise(3, 96, 128),
    ),
    row("detr", _detr, _detr_inputs),
    row(
        "gemma2",
        returning("Gemma2Config", "Gemma2ForCausalLM", TEXT, "logits", NO_CACHE, sliding_window=4, **FEW),
        sentences(9),
        "two layers, width 64",
    ),
    row(
        "mixtral",
        returning(
            "MixtralConfig",
            "MixtralForCausalLM",
            TEXT,
            "logits",
            NO_CACHE,
            num_local_experts=4,
            experts_implementation="batched_mm",
            **FEW,
        ),
        sentences(9),
        "two layers of four experts, width 64",
    ),
)
