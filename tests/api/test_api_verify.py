"""Cases run in the real frameworks: a right card is proved, a wrong name, default or axis order is caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from card_changes import renamed

from interlingua import plugin
from interlingua.cards import Card, Slot, cards
from interlingua.environments import interpreter_for
from interlingua.errors import InterlinguaError, RuntimeMissing, Unsupported, UsageError
from interlingua.proof.compare import compare
from interlingua.records.cases import case, cases
from interlingua.tables import evidence, execute, verify
from interlingua.tables.calls import Call, call
from interlingua.worker import Worker

pytestmark = pytest.mark.slow


def row(record: str, name: str) -> Call:
    return call(next(r for r in cases() if (r.record, r.name) == (record, name)))


def run(framework: str, record: str) -> evidence.Evidence:
    described = plugin.framework(framework)
    return verify.run(described, described.runtimes[0], record)


@pytest.mark.parametrize(
    ("framework", "record"), [("torch", "LeakyRelu"), ("onnx", "Softmax"), ("paddle", "Flatten"), ("keras", "Gemm")]
)
def test_a_record_is_proved_as_written_and_by_single_calls(framework: str, record: str) -> None:
    found = run(framework, record)
    assert found.outcomes and not [o for o in found.outcomes if o.result == "failed"]
    assert found.version in found.versions.values()


def test_what_a_run_finds_is_what_is_committed() -> None:
    fresh = run("torch", "BatchNormalization")
    committed = next(e for e in evidence.load("torch") if e.runtime == "torch")
    if committed.version != fresh.version:
        pytest.skip("another version of torch than the evidence's")
    told = {(o.case, o.api, o.route, o.result) for o in committed.outcomes if o.record == "BatchNormalization"}
    assert {(o.case, o.api, o.route, o.result) for o in fresh.outcomes} == told


def test_a_wrong_default_is_caught(change_card: Callable[..., Card]) -> None:
    change_card("torch", "LeakyRelu", "torch.nn.functional.leaky_relu", renamed("alpha", "negative_slope", 0.25))
    failed = [o for o in run("torch", "LeakyRelu").outcomes if o.result == "failed"]
    assert {o.case for o in failed} == {"image", "default slope"}


def test_a_wrong_name_is_caught(change_card: Callable[..., Card]) -> None:
    change_card("torch", "Elu", "torch.nn.functional.elu", renamed("alpha", "beta", 1.0))
    failed = [o for o in run("torch", "Elu").outcomes if o.result == "failed"]
    assert failed and all("beta" in o.reason for o in failed)


def test_a_wrong_axis_order_is_caught(change_card: Callable[..., Card]) -> None:
    def turn(card: Card) -> Card:
        return dataclasses.replace(card, inputs={**card.inputs, "B": Slot("weight", "I O")})

    change_card("torch", "Gemm", "torch.nn.functional.linear", turn)
    card = next(c for c in verify.cards("torch") if c.api == "torch.nn.functional.linear")
    try:
        assert not run_card(turn(card), row("Gemm", "kernel transposed"), "torch")
    except InterlinguaError as error:
        assert "shapes cannot be multiplied" in str(error)


def run_card(card: Card, made: Call, runtime: str) -> bool:
    result = execute.probed(card, execute.probe_of(card, made), runtime)
    return compare("", made.expected, result, verify.TOLERANCE).within


def test_a_formula_that_differs_is_not_proved() -> None:
    card = next(
        c for c in cards("torch") if c.api == "torch.nn.functional.avg_pool2d".replace("2d", "{n}d") and 2 in c.ranks
    )
    counted = call(case("AveragePool", "with", X=(1, 1, 5, 5), kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1))
    assert run_card(card, counted, "torch")
    other = dataclasses.replace(counted, values={**counted.values, "count_include_pad": 0})
    probe = execute.probe_of(card, counted)
    assert not compare("", other.expected, execute.probed(card, probe, "torch"), verify.TOLERANCE).within


def test_a_card_that_lacks_an_input_is_not_called() -> None:
    card = next(c for c in cards("tensorflow") if c.record == "Conv" and "B" not in c.inputs and "B" not in c.weights)
    with pytest.raises(Unsupported):
        execute.probe_of(card, row("Conv", "image"))


def test_a_stated_gap_that_is_closed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    described = plugin.framework("torch")
    stated = dataclasses.replace(row("Relu", "rows").case, unproved={"torch": "notyet: nothing"})
    monkeypatch.setattr(verify, "cases", lambda: (stated,))
    outcomes = verify.run(described, described.runtimes[0], "Relu").outcomes
    assert any(o.result == "failed" and "it is proved" in o.reason for o in outcomes)


def test_evidence_is_written_beside_the_cards_and_others_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evidence, "folder", lambda name: tmp_path)
    lines: list[str] = []
    assert verify.verify(framework="onnx", record="Relu", say=lines.append) == 0
    assert verify.verify(framework="onnx", record="Tanh", say=lines.append) == 0
    (path,) = tmp_path.iterdir()
    assert {o.record for o in evidence.read(path).outcomes} == {"Relu", "Tanh"}
    assert lines[0].startswith("onnx ")
    evidence.forget()


def test_a_runtime_that_is_not_there_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(*given: object) -> evidence.Evidence:
        raise RuntimeMissing("Expected torch.", hint="Run: interlingua env create torch")

    monkeypatch.setattr(evidence, "folder", lambda name: tmp_path)
    monkeypatch.setattr(verify, "run", missing)
    lines: list[str] = []
    assert verify.verify(framework="torch", say=lines.append) == 0
    assert "not run" in lines[0] and not list(tmp_path.iterdir())
    evidence.forget()


def test_unknown_frameworks_and_records_are_refused() -> None:
    with pytest.raises(UsageError):
        verify.verify(framework="tourch")
    with pytest.raises(UsageError):
        verify.verify(framework="onnx", record="Relo")


def test_signatures_are_measured_where_python_tells_them() -> None:
    script = Path(verify.__file__).with_name("runtime_signatures.py")
    with Worker(interpreter_for(plugin.runtime("torch")), script, name="torch, signatures") as worker:
        told = worker.call(
            "signatures", phase="measure", apis=["torch.nn.Conv2d", "torch.clamp", "torch.no.such"]
        ).value
    assert ["stride", "1"] in told["torch.nn.Conv2d"] and ["in_channels", None] in told["torch.nn.Conv2d"]
    assert told["torch.clamp"] is None and told["torch.no.such"] is None


def test_the_sizes_of_an_output_do_not_come_from_the_reference() -> None:
    made = row("MaxPool", "rounded up")
    assert made.expected.dtype == np.float64 and made.expected.shape == (2, 3, 4, 3)
