"""Every plugin of ours passes the conformance kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua import plugin
from interlingua.testing import kit

NAMES = ("torch", "keras", "tensorflow", "paddle", "fluid", "caffe", "onnx")
CONVERTED = [pytest.param(name, marks=pytest.mark.legacy if name == "fluid" else ()) for name in NAMES]


def test_all_plugins_are_there() -> None:
    assert set(plugin.frameworks()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_declaration_and_cards(name: str) -> None:
    kit.check_declared(name)
    kit.check_cards(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_heavy_is_imported(name: str) -> None:
    kit.check_imports(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTED)
def test_lenet_and_vgg_there_and_back(name: str, tmp_path: Path) -> None:
    kit.check_conversion(name, tmp_path)
