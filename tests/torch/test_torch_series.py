"""Values of many layers are one list, which a loop goes through and fills; what is nearly so stays apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch_series_nets as nets
from generated import Generated

import interlingua

pytestmark = pytest.mark.slow

X = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))


def _joined(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


def test_a_cache_in_pairs_is_taken_and_given_in_pairs(tmp_path: Path) -> None:
    found = nets.caches()
    past = tuple(zip(found[::2], found[1::2], strict=True))
    made = Generated(nets.InPairs(), (X, past), tmp_path / "out").proved()
    given, new = "past_key_values", "new_past_key_values"
    assert f"def forward(self, x, {given}):" in made.text
    assert f"{given} = [tensor for part in {given} for tensor in part]" in made.text
    loop = f"for layer, past_key, past_value in zip(self.layers, {given}[::2], {given}[1::2], strict=True):"
    assert f"{loop} key, value, x = layer(x, past_key, past_value) {new} += [key, value]" in _joined(made.text)
    assert f"return x, tuple(zip({new}[::2], {new}[1::2], strict=True))" in made.text


def test_further_arguments_stay_further_arguments(tmp_path: Path) -> None:
    made = Generated(nets.Further(), (X, *nets.caches()), tmp_path / "out").proved()
    assert "def forward(self, x, *cache):" in made.text and "return x, *new_cache" in made.text
    assert "in zip(self.layers, cache[::2], cache[1::2], strict=True):" in made.text


def test_a_first_layer_unlike_the_others_stands_before_the_loop(tmp_path: Path) -> None:
    made = Generated(nets.Further(other=True), (X, *nets.caches()), tmp_path / "out").proved()
    text = _joined(made.text)
    assert "= self.layers[0](x, cache[0], cache[1]) new_cache = [key, value] for layer," in text
    assert "in zip(self.layers[1:], cache[2::2], cache[3::2], strict=True):" in text


def test_arguments_with_names_keep_them_and_one_result_is_no_list(tmp_path: Path) -> None:
    made = Generated(nets.Named(), (X, *nets.caches()), tmp_path / "out").proved()
    text = _joined(made.text)
    assert "def forward(self, x, key_0, value_0, key_1, value_1, key_2, value_2, key_3, value_3):" in text
    assert "in zip(self.layers[:-1], keys[:-1], values[:-1], strict=True): x = layer(" in text
    assert "key, x = self.layers[3](x, keys[3], values[3])" in text and "new_" not in text


def test_what_is_read_again_is_still_there(tmp_path: Path) -> None:
    made = Generated(nets.Pyramid(), (X,), tmp_path / "out").proved()
    assert "for stage in self.stages:\n            x = stage(x)\n            features.append(x)" in made.text


def test_an_exported_program_with_further_arguments_is_proved(tmp_path: Path) -> None:
    program = torch.export.export(nets.Further().eval(), (X, *nets.caches()))
    torch.export.save(program, tmp_path / "decoder.pt2")
    report = interlingua.convert(tmp_path / "decoder.pt2", "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert "def forward(self, x, *cache):" in (tmp_path / "out" / "model.py").read_text("utf-8")
