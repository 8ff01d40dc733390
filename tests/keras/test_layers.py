"""Every layer and function of the cards: read from an archive, run as IR, written as Keras, run again."""

from pathlib import Path

import numpy as np
import pytest

from interlingua import pipeline, plugin
from interlingua.passes import layout
from interlingua.proof import execute
from interlingua.worker import Worker

CASES = Path(__file__).parent / "runtime_cases.py"


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import sys

    folder = tmp_path_factory.mktemp("cases")
    with Worker(Path(sys.executable), CASES, name="keras") as worker:
        names = worker.call("save", phase="saving", folder=str(folder)).value
    return {name: folder / f"{name}.keras" for name in names}


def _names() -> list[str]:
    """The names of the cases, told by the file itself without Keras."""
    import ast

    tree = ast.parse(CASES.read_text())
    table = next(n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "CASES")
    assert isinstance(table, ast.Dict)
    ranks = {"WINDOWS": (1, 2, 3)}
    found: list[str] = []
    for key, value in zip(table.keys, table.values, strict=True):
        if key is None:
            assert isinstance(value, ast.DictComp)
            over = ranks.get(ast.unparse(value.generators[0].iter)) or ast.literal_eval(value.generators[0].iter)
            text = ast.unparse(value.key)
            found += [text[2:-1].replace("{n}", str(rank)) for rank in over]
        else:
            found.append(ast.literal_eval(key))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", _names())
def test_case(name: str, cases: dict[str, Path], keras_worker: Worker, tmp_path: Path) -> None:
    source = pipeline.read(cases[name])
    (value,) = source.model.graph.inputs
    shape = [3, *(size for size in list(value.shape or ())[1:] if isinstance(size, int))]
    image = np.random.default_rng(17).normal(0.1, 0.6, shape).astype(np.float32)
    original = keras_worker.call("run", {"image": image}, phase="run", path=str(cases[name]), format="keras")
    (expected,) = original.arrays.values()
    assert expected.std() > 1e-3
    (computed,) = execute.run_ir(source.model, {"image": image})
    np.testing.assert_allclose(computed, expected, rtol=0, atol=3e-6 * max(1.0, np.abs(expected).max()))
    _, prepared = pipeline.write(source.model, plugin.framework("keras"), tmp_path)
    assert layout.leftover(prepared) == 0
    written = keras_worker.call("run", {"image": image}, phase="run", path=str(tmp_path), format="python")
    (again,) = written.arrays.values()
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-6 * max(1.0, np.abs(expected).max()))
