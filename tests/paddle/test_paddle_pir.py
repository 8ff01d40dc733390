"""PIR programs are read from their bytes, and broken ones are refused with one clear error."""

import json
from pathlib import Path
from typing import Any

import pytest

from interlingua.errors import InvalidSource
from interlingua_paddle.frontend import pir


def _document(lenet: Path) -> Any:
    return json.loads((lenet / "model.json").read_bytes())


def _operators(document: Any) -> Any:
    return document["program"]["regions"][0]["blocks"][0]["ops"]


def test_a_real_program_is_read_with_its_state_dict_names(lenet: Path) -> None:
    program = pir.load(lenet / "model.json")
    assert program.inputs["x"].shape == (None, 1, 28, 28)
    assert {p.name: p.value.shape for p in program.parameters} == {
        "block1_conv1.weight": (6, 1, 5, 5),
        "block1_conv1.bias": (6,),
        "block2_conv1.weight": (16, 6, 5, 5),
        "block2_conv1.bias": (16,),
        "fc1.weight": (784, 84),
        "fc1.bias": (84,),
        "before_softmax.weight": (84, 10),
        "before_softmax.bias": (10,),
    }
    kinds = [o.name for o in program.operators if o.name != "pd_op.full_int_array"]
    assert kinds[:5] == ["pd_op.conv2d", "pd_op.reshape", "pd_op.add", "pd_op.relu", "pd_op.pool2d"]
    assert list(program.outputs) == ["fetch_name_0"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"#": "0.a_f64", "D": 0.01}, 0.01),
        ({"#": "0.a_f64", "D": 0.20000000298023224}, 0.2),
        ({"#": "0.a_f32", "D": 9.999999747378752e-06}, 1e-5),
        ({"#": "0.a_f64", "VD": "-INF"}, float("-inf")),
        ({"#": "0.a_f64", "D": -3.4028234663852886e38}, -3.4028234663852886e38),
        ({"#": "0.a_array", "D": [{"#": "0.a_i64", "D": 1}, {"#": "0.a_i32", "D": -1}]}, [1, -1]),
        ({"#": "1.a_dtype", "D": "float32"}, "float32"),
        ({"#": "1.a_intarray", "D": [2, 3]}, [2, 3]),
    ],
)
def test_attributes_keep_their_type_and_what_a_person_wrote(lenet: Path, written: Any, read: Any) -> None:
    document = _document(lenet)
    relu = next(o for o in _operators(document) if o["#"] == "1.relu")
    relu["A"].append({"N": "given", "AT": written})
    program = pir.parse(document, "here")
    assert next(o for o in program.operators if o.name == "pd_op.relu").attributes["given"] == read


def test_a_truncated_program_is_refused(lenet: Path, tmp_path: Path) -> None:
    whole = (lenet / "model.json").read_bytes()
    broken = tmp_path / "model.json"
    for length in (1, 40, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:length])
        with pytest.raises(InvalidSource, match="Expected a PIR program"):
            pir.load(broken)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)
    with pytest.raises(InvalidSource, match="Expected a PIR program"):
        pir.load(deep)


def test_a_newer_version_is_refused_by_its_number(lenet: Path) -> None:
    document = _document(lenet)
    document["base_code"]["version"] = 99
    with pytest.raises(InvalidSource, match="Received version 99"):
        pir.parse(document, "here")


@pytest.mark.parametrize("spoil", [lambda o: o.pop("#"), lambda o: o.update(I=[{}]), lambda o: o.update(O=7)])
def test_a_broken_structure_is_refused(lenet: Path, spoil: Any) -> None:
    document = _document(lenet)
    spoil(_operators(document)[-2])
    with pytest.raises(InvalidSource, match="structure is broken"):
        pir.parse(document, "here")


def test_a_value_used_before_it_is_made_is_refused(lenet: Path) -> None:
    document = _document(lenet)
    next(o for o in _operators(document) if o["#"] == "1.relu")["I"] = [{"%": 4711}]
    with pytest.raises(InvalidSource, match="Received the value 4711"):
        pir.parse(document, "here")


def test_a_value_made_twice_is_refused(lenet: Path) -> None:
    document = _document(lenet)
    operators = _operators(document)
    operators.insert(-1, operators[-2])
    with pytest.raises(InvalidSource, match="twice"):
        pir.parse(document, "here")
