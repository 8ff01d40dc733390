"""Which interpreter runs a runtime, how an environment is made, and what `doctor` says."""

from __future__ import annotations

import dataclasses
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from interlingua import environments, plugin
from interlingua.cli.doctor import doctor
from interlingua.cli.env import app
from interlingua.errors import OutputError, PluginError, RuntimeMissing, UsageError
from interlingua.plugin import Framework, Runtime
from interlingua.worker import Worker, interpreter
from interlingua.worker.probe import probe

pytestmark = pytest.mark.slow

FAULTS = Path(__file__).parent / "worker" / "runtimes" / "faults.py"
HERE = Runtime("faulty", "Faults", "interlingua/worker/probe.py", ">=3.11", (), ("numpy",))
OLD = dataclasses.replace(HERE, name="old-one", python="==3.7.*")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(environments.ROOT_VARIABLE, str(tmp_path / "environments"))
    return tmp_path / "environments"


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = Framework("fake", "Fake", runtimes=(HERE, OLD))
    monkeypatch.setattr(plugin, "frameworks", lambda: {"fake": framework})
    monkeypatch.setattr(plugin, "listed", lambda: ())


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def says_version(path: Path, version: str) -> Path:
    return script(path, f"echo python {version.replace('.', ' ')}")


@pytest.fixture
def only_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A PATH with nothing on it but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    interpreter.find_python.cache_clear()
    yield tmp_path / "bin"
    interpreter.find_python.cache_clear()


def test_the_current_interpreter_is_taken_where_it_fits_and_has_all_modules() -> None:
    assert environments.interpreter_for(HERE) == Path(sys.executable)


def test_a_runtime_whose_module_is_lacking_names_the_command() -> None:
    runtime = dataclasses.replace(HERE, imports=("numpy", "a_module_that_nobody_has"))
    with pytest.raises(RuntimeMissing, match="lacks a_module_that_nobody_has") as caught:
        environments.interpreter_for(runtime)
    assert caught.value.hint == "Run: interlingua env create faulty"


def test_a_runtime_of_another_python_names_the_command() -> None:
    with pytest.raises(
        RuntimeMissing, match=r"Expected Python ==3\.7\.\* with numpy for the runtime 'old-one'"
    ) as caught:
        environments.interpreter_for(OLD)
    assert caught.value.hint == "Run: interlingua env create old-one --python python3.7"


def test_the_order_is_option_then_variable_then_environment_then_current(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = script(root / "faulty" / "bin" / "python", f'exec {sys.executable} "$@"')
    assert environments.interpreter_for(HERE) == Path(sys.executable)
    (root / "faulty" / environments.MARKER).write_text("{}")
    assert environments.interpreter_for(HERE) == created
    by_variable = says_version(tmp_path / "variable", "3.12.1")
    monkeypatch.setenv("INTERLINGUA_PYTHON_FAULTY", str(by_variable))
    assert environments.interpreter_for(HERE) == by_variable
    by_option = says_version(tmp_path / "option", "3.13.0")
    assert environments.interpreter_for(HERE, str(by_option)) == by_option
    assert environments.variable(OLD) == "INTERLINGUA_PYTHON_OLD_ONE"


def test_an_explicit_interpreter_of_the_wrong_version_is_refused(tmp_path: Path) -> None:
    wrong = says_version(tmp_path / "python", "3.6.15")
    with pytest.raises(RuntimeMissing, match=r"Expected Python >=3\.11 .* Received .*, which is 3\.6\.15"):
        environments.interpreter_for(HERE, str(wrong))
    with pytest.raises(RuntimeMissing, match="does not run as one"):
        environments.interpreter_for(HERE, str(script(tmp_path / "broken", "exit 1")))


@pytest.mark.parametrize("wanted", ["python3.5", "3.5", "3.5.9", ">=3.5,<3.6", "==3.5.*"])
def test_names_versions_and_specifiers_find_an_interpreter_on_the_path(only_these: Path, wanted: str) -> None:
    found = says_version(only_these / "python3.5", "3.5.9")
    assert interpreter.find_python(wanted) == found


def test_a_name_on_the_path_that_lies_or_fails_is_passed_over(only_these: Path) -> None:
    says_version(only_these / "python3.5", "3.9.1")
    script(only_these / "python3", "echo no such version >&2; exit 127")
    with pytest.raises(RuntimeMissing, match=r"Found none on PATH, by uv or by pyenv") as caught:
        interpreter.find_python("python3.5")
    assert caught.value.hint == "Install one: uv python install 3.5, or: pyenv install 3.5"


def test_uv_is_asked(only_these: Path, tmp_path: Path) -> None:
    found = says_version(tmp_path / "elsewhere" / "python", "3.5.2")
    script(only_these / "uv", f'[ "$1 $2 $3" = "python find ==3.5.*" ] && echo {found}')
    assert interpreter.find_python("3.5") == found


def test_pyenv_is_asked(only_these: Path, tmp_path: Path) -> None:
    found = says_version(tmp_path / "versions" / "3.5.2" / "bin" / "python", "3.5.2")
    versions = '"versions --bare") echo 2.7.18; echo pypy3.5; echo 3.5.2;;'
    script(only_these / "pyenv", f'case "$*" in {versions} "prefix 3.5.2") echo {found.parent.parent};; esac')
    assert interpreter.find_python("3.5") == found


def test_what_is_no_version_is_told() -> None:
    with pytest.raises(UsageError, match="Expected a path, a name"):
        interpreter.find_python("gibberish")


def test_the_script_is_found_without_importing_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "explosive"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "runtime.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    runtime = dataclasses.replace(HERE, script="explosive/runtime.py")
    assert environments.script_path(runtime) == package / "runtime.py"
    for missing in ("explosive/other.py", "a_module_that_nobody_has/runtime.py"):
        with pytest.raises(PluginError, match="Expected the script"):
            environments.script_path(dataclasses.replace(HERE, script=missing))


def test_probing_finds_versions_and_imports_nothing() -> None:
    code = (
        "import sys; from interlingua.worker.probe import probe;"
        "print(probe(['torch', 'cv2', 'paddle.nn', 'paddle.no_such', 'no_such']));"
        "print([name for name in sys.modules if name.startswith(('torch', 'cv2', 'paddle'))])"
    )
    found, loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.splitlines()
    assert loaded == "[]"
    assert "'torch': ('torch', '2." in found
    assert "'cv2': ('opencv_python" in found
    assert "'paddle.nn': ('paddlepaddle', '" in found
    assert "'paddle.no_such': None" in found
    assert "'no_such': None" in found


def test_the_probe_agrees_with_the_module_itself() -> None:
    assert probe(["numpy"]) == {"numpy": ("numpy", np.__version__)}


def test_status_says_what_is_there_and_what_mends_it() -> None:
    well = environments.status(HERE)
    assert (well.python, well.versions, well.problem, well.mend) == (sys.executable, {"numpy": np.__version__}, "", "")
    newer = environments.status(dataclasses.replace(HERE, requirements=("numpy>=999",)))
    assert newer.problem == f"numpy is {np.__version__}, not >=999"
    assert newer.mend == "interlingua env create faulty"


def test_status_of_an_explicit_interpreter_names_its_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = tmp_path / "bare" / "bin" / "python"
    monkeypatch.setenv("INTERLINGUA_PYTHON_FAULTY", str(bare))
    status = environments.status(dataclasses.replace(HERE, requirements=("numpy>=1.26",)))
    assert status.problem == "numpy is not installed"
    assert status.mend == f"{bare} -m pip install numpy 'numpy>=1.26'"


def test_status_without_any_interpreter_installs_one_first(only_these: Path) -> None:
    ancient = dataclasses.replace(HERE, python="==3.5.*")
    installing = "uv python install 3.5 && interlingua env create faulty --python python3.5"
    assert environments.status(ancient).mend == installing
    script(only_these / "pyenv", "exit 1")
    assert environments.status(ancient).mend == installing.replace("uv python", "pyenv")


def test_doctor_says_all_and_its_exit_code_tells(
    declared: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaseException) as caught:
        doctor(as_json=False)
    assert getattr(caught.value, "exit_code", None) == 7
    told = capsys.readouterr().out
    assert "interlingua env create old-one --python python3.7" in told
    assert "numpy" in told
    monkeypatch.setattr(plugin, "frameworks", lambda: {"fake": Framework("fake", "Fake", runtimes=(HERE,))})
    doctor(as_json=True)
    (status,) = json.loads(capsys.readouterr().out)
    assert (status["runtime"], status["versions"], status["problem"]) == ("faulty", {"numpy": np.__version__}, "")


def test_an_environment_is_created_used_listed_and_removed(root: Path, declared: None) -> None:
    runner = CliRunner()
    made = runner.invoke(app, ["create", "faulty"])
    assert made.exit_code == 0, made.output
    python = root / "faulty" / "bin" / "python"
    assert environments.interpreter_for(HERE) == python
    assert environments.status(HERE).python == str(python)
    with Worker(python, FAULTS, name="faulty") as worker:
        assert worker.call("double", {"x": np.ones(2)}, phase="double").arrays["x"].tolist() == [2.0, 2.0]

    with pytest.raises(OutputError, match="Expected no environment"):
        environments.create(HERE)
    left = (root / "faulty" / "precious").write_text("kept")
    unknown = dataclasses.replace(HERE, requirements=("no-such-thing @ file:///nowhere/at/all",))
    with pytest.raises(RuntimeMissing, match="pip install numpy") as caught:
        environments.create(unknown, force=True)
    assert "nowhere" in str(caught.value)
    assert (root / "faulty" / "precious").stat().st_size == left
    assert environments.interpreter_for(HERE) == python

    listed = json.loads(runner.invoke(app, ["list", "--json"]).output)
    assert [(entry["name"], entry["path"], entry["whole"]) for entry in listed] == [
        ("faulty", str(root / "faulty"), True)
    ]
    assert runner.invoke(app, ["remove", "faulty"]).exit_code == 0
    assert environments.list_() == []
    assert not (root / "faulty").exists()
    assert environments.interpreter_for(HERE) == Path(sys.executable)


def test_a_creation_that_fails_leaves_nothing(root: Path) -> None:
    broken = dataclasses.replace(HERE, requirements=("no-such-thing @ file:///nowhere/at/all",))
    with pytest.raises(RuntimeMissing, match="exit code"):
        environments.create(broken)
    assert [path.name for path in root.iterdir() if not path.name.endswith(".lock")] == []


def test_an_interrupted_creation_counts_as_none(root: Path) -> None:
    (root / "faulty").mkdir(parents=True)
    (root / "faulty" / "pyvenv.cfg").touch()
    (entry,) = environments.list_()
    assert not entry.whole
    assert environments.interpreter_for(HERE) == Path(sys.executable)
    environments.remove("faulty")
    assert not (root / "faulty").exists()


def test_a_folder_that_is_no_environment_is_never_touched(root: Path) -> None:
    (root / "faulty").mkdir(parents=True)
    (root / "faulty" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds something that is no environment"):
        environments.create(HERE, force=True)
    for name in ("faulty", "../environments", "", "unknown"):
        with pytest.raises(UsageError, match="Expected an environment"):
            environments.remove(name)
    assert (root / "faulty" / "thesis.txt").read_text() == "years of work"


def test_creating_with_an_interpreter_of_the_wrong_version_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissing, match=r"Received .*, which is 3\.6\.15"):
        environments.create(HERE, str(says_version(tmp_path / "python", "3.6.15")))
    assert not root.exists()


@pytest.mark.legacy
def test_an_environment_of_python_37_is_created_and_answers(root: Path) -> None:
    made = environments.create(OLD)
    assert made.python_version.startswith("3.7.")
    with Worker(environments.interpreter_for(OLD), FAULTS, name="old-one") as worker:
        assert worker.python_version[:2] == (3, 7)
        assert worker.call("double", {"x": np.ones(2)}, phase="double").arrays["x"].tolist() == [2.0, 2.0]


def test_another_process_at_work_is_told(root: Path) -> None:
    with environments._locked("faulty"), pytest.raises(OutputError, match="Another process works on it"):
        environments.create(HERE)
