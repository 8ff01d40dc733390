"""However a saved program is damaged, reading it gives one clear error or a model, never a traceback."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from interlingua.artifact import ReadOptions
from interlingua.errors import InterlinguaError, InvalidSource, UnsupportedModel, UsageError
from interlingua_paddle.frontend.inspect import inspect
from interlingua_paddle.frontend.read import read
from interlingua_paddle.frontend.recognise import recognise

WRONG: list[Any] = [None, -1, 0, 1 << 40, 0.5, "", "conv2d", [], {}, [[]], True, "NHWC", float("nan")]


def places(item: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a JSON document."""
    found = [path] if path else []
    keys = item if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
    for key in keys:
        found += places(item[key], (*path, key))
    return found


def spoil(document: Any, chance: random.Random, paths: list[tuple[Any, ...]]) -> None:
    """Removes, replaces or doubles one thing."""
    *way, last = chance.choice(paths)
    target = document
    for key in way:
        target = target[key]
    kind = chance.randrange(3)
    if kind == 0:
        del target[last]
    elif kind == 1 or not isinstance(target, list):
        target[last] = chance.choice(WRONG)
    else:
        target.insert(last, copy.deepcopy(target[last]))


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_program_is_an_error_of_ours(lenet: Path, tmp_path: Path, seed: int) -> None:
    whole = json.loads((lenet / "model.json").read_bytes())
    (tmp_path / "model.pdiparams").write_bytes((lenet / "model.pdiparams").read_bytes())
    paths, chance, refused = places(whole), random.Random(seed), 0
    for _ in range(60):
        document = copy.deepcopy(whole)
        spoil(document, chance, paths)
        (tmp_path / "model.json").write_text(json.dumps(document))
        try:
            artifact = recognise(tmp_path / "model.json")
            if artifact is not None:
                inspect(artifact)
                read(artifact, ReadOptions())
        except InterlinguaError as error:
            assert error.message
            refused += 1
    assert refused > 15


def test_damaged_weights_are_an_error_of_ours(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes((lenet / "model.json").read_bytes())
    whole = (lenet / "model.pdiparams").read_bytes()
    for cut in (0, 1, 20, 40, len(whole) // 2, len(whole) - 1):
        (tmp_path / "model.pdiparams").write_bytes(whole[:cut])
        artifact = recognise(tmp_path / "model.json")
        assert artifact is not None
        with pytest.raises(InvalidSource):
            read(artifact, ReadOptions())
    header = 24
    for position in range(header):
        broken = bytearray(whole)
        broken[position] = (broken[position] + 1) % 256
        (tmp_path / "model.pdiparams").write_bytes(broken)
        with pytest.raises(InvalidSource):
            read(artifact, ReadOptions())


def test_a_constant_of_a_huge_declared_size_is_refused_before_it_is_made(lenet: Path, tmp_path: Path) -> None:
    document = json.loads((lenet / "model.json").read_bytes())
    operators = document["program"]["regions"][0]["blocks"][0]["ops"]
    relu = next(i for i, o in enumerate(operators) if o["#"] == "1.relu")
    shape = {"N": "shape", "AT": {"#": "1.a_intarray", "D": [1 << 20, 1 << 20, 1 << 20]}}
    value = {"N": "value", "AT": {"#": "0.a_f64", "D": 1.0}}
    dtype = {"N": "dtype", "AT": {"#": "1.a_dtype", "D": "float32"}}
    result = copy.deepcopy(operators[relu]["O"])
    result[0]["%"] = 9001
    operators.insert(relu, {"#": "1.full", "A": [shape, value, dtype], "I": [], "O": result, "OA": []})
    operators[relu + 1]["#"] = "1.add"
    operators[relu + 1]["I"].append({"%": 9001})
    (tmp_path / "model.json").write_text(json.dumps(document))
    (tmp_path / "model.pdiparams").write_bytes((lenet / "model.pdiparams").read_bytes())
    artifact = recognise(tmp_path / "model.json")
    assert artifact is not None
    with pytest.raises(UnsupportedModel, match="a constant of shape"):
        read(artifact, ReadOptions())


def test_names_that_do_not_exist_are_told(lenet: Path) -> None:
    artifact = recognise(lenet)
    assert artifact is not None
    with pytest.raises(UsageError, match="fetch_name_0"):
        read(artifact, ReadOptions(outputs=("logits",)))
    with pytest.raises(UsageError, match="fits"):
        read(artifact, ReadOptions(shapes={"x": (None, 3, 28, 28)}))
    shaped = read(artifact, ReadOptions(shapes={"": (4, 1, 28, 28)})).model
    assert list(shaped.graph.inputs[0].shape or ()) == [4, 1, 28, 28]
