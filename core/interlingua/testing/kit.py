"""Checks of a plugin, each raising AssertionError with what is wrong.

from interlingua.testing import kit
def test_plugin(tmp_path): kit.check_plugin("myframework", tmp_path)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from interlingua import cards, environments, pipeline, plugin
from interlingua.cards import Kind
from interlingua.pipeline import ConvertOptions
from interlingua.records import records
from interlingua.report import Report
from interlingua.testing import nets

FRAMEWORKS = ("torch", "tensorflow", "keras", "paddle", "cv2")


def check_declared(name: str) -> None:
    """The framework is listed, its references resolve, its runtime script exists."""
    framework = plugin.framework(name)
    for runtime in framework.runtimes:
        assert environments.script_path(runtime).is_file(), f"{runtime.script} is not there"
    for form in framework.formats:
        for reference in filter(None, (form.recognise, form.reader, form.inspector)):
            assert callable(plugin.resolve(reference)), f"{reference} is not callable"
        assert not form.runtime or plugin.runtime(form.runtime), f"{form.name} has no runtime"
    if framework.backend is not None:
        assert callable(plugin.resolve(framework.backend.writer))
        formats = {form.name for form in framework.formats}
        assert set(framework.backend.natives) <= formats, "a native artifact is no format of the framework"


def check_imports(name: str) -> None:
    """Listing the plugin and loading its cards and backend imports no framework."""
    code = (
        "import sys; from interlingua import cards, plugin;"
        f"f = plugin.framework({name!r}); cards.cards({name!r});"
        "f.backend and plugin.resolve(f.backend.writer); [plugin.resolve(x.reader) for x in f.formats if x.reader];"
        f"print([m for m in {FRAMEWORKS!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", f"imported: {done.stdout}"


def check_cards(name: str) -> None:
    """Every card belongs to a record and speaks of its inputs and parameters alone."""
    for card in cards.cards(name):
        assert card.record in records(), f"{card.api}: no record {card.record}"
        described = records()[card.record]
        known = {i.name for i in described.inputs} | set(described.parameters)
        said = {*card.inputs, *card.weights, *card.parameters, *card.implied}
        assert said <= known, f"{card.api}: {card.record} does not know {sorted(said - known)}"
        assert card.kind is not Kind.OPERATOR or card.operator, f"{card.api}: an operator without a sign"


def check_conversion(name: str, folder: Path) -> list[Report]:
    """LeNet-4 and a narrow VGG, from ONNX to the framework and back, are proved."""
    reports: list[Report] = []
    for model in (nets.lenet(), nets.vgg()):
        source = nets.saved(model, folder / f"{model.graph.name}.onnx")
        out = folder / f"{name}-{model.graph.name}"
        report = pipeline.convert(source, name, out, ConvertOptions(force=True))
        assert report.proofs, "nothing was proved"
        assert {proof.verdict for proof in report.proofs} == {"proved"}, [p.as_json() for p in report.proofs]
        assert report.transposes["leftover"] == 0, "transposes are left over"
        back = pipeline.convert(out / report.target["path"], "onnx", folder / f"{name}-{model.graph.name}-back")
        assert {proof.verdict for proof in back.proofs} == {"proved"}, [p.as_json() for p in back.proofs]
        reports += [report, back]
    return reports


def check_plugin(name: str, folder: Path) -> None:
    """All of the above."""
    check_declared(name)
    check_imports(name)
    check_cards(name)
    check_conversion(name, folder)
