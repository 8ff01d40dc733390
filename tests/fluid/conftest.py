"""Inference models that real Fluid 1.8.5 made, and a way to run them."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from interlingua import environments, plugin
from interlingua.errors import RuntimeMissing

PROGRAMS = Path(__file__).with_name("programs.py")
ROOT = PROGRAMS.parents[2]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that takes `program` for each function of programs.py that is one."""
    if "program" in metafunc.fixturenames:
        functions = [node for node in ast.parse(PROGRAMS.read_text()).body if isinstance(node, ast.FunctionDef)]
        metafunc.parametrize("program", [function.name for function in functions if function.decorator_list])


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    """The environments beside the tree, where nobody names others."""
    os.environ.setdefault(environments.ROOT_VARIABLE, str(ROOT / ".environments"))


@pytest.fixture(scope="session")
def fluid_python(environment: None) -> Path:
    """The interpreter that has Fluid 1.8.5."""
    try:
        return environments.interpreter_for(plugin.runtime("fluid"))
    except RuntimeMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def made(fluid_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all programs of programs.py, saved by Fluid itself."""
    folder = tmp_path_factory.mktemp("fluid")
    subprocess.run([str(fluid_python), str(PROGRAMS), str(folder)], check=True, capture_output=True)
    return folder
