"""Where runtimes live: which interpreter runs one, how an environment for it is made, and what is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from interlingua import plugin
from interlingua.errors import OutputError, PluginError, RuntimeMissing, UsageError
from interlingua.plugin import Runtime
from interlingua.worker.interpreter import (
    child_environment,
    dotted,
    find_python,
    is_current,
    satisfies,
    series,
    specifier,
    version_of,
)
from interlingua.worker.probe import spec_of

if TYPE_CHECKING:
    from interlingua.worker.process import Worker

ROOT_VARIABLE = "INTERLINGUA_ENVIRONMENTS"
PYTHON_VARIABLE = "INTERLINGUA_PYTHON_"
MARKER = "interlingua.json"


def root() -> Path:
    """The folder of the environments: `INTERLINGUA_ENVIRONMENTS`, else in the user's data folder."""
    said = os.environ.get(ROOT_VARIABLE)
    return Path(said).absolute() if said else platformdirs.user_data_path("interlingua") / "environments"


def environment_python(name: str) -> Path | None:
    """The interpreter of the environment created for a runtime, None where there is none or it is incomplete."""
    python = root() / name / "bin" / "python"
    return python if (root() / name / MARKER).is_file() and python.exists() else None


def _fits_here(runtime: Runtime) -> bool:
    """Whether the current interpreter is of a version the runtime takes."""
    return satisfies(sys.version_info[:3], specifier(runtime.python))


def create_command(runtime: Runtime) -> str:
    """The command that makes an environment for a runtime; it names the interpreter where only one series will do."""
    allowed = series(specifier(runtime.python))
    python = f" --python python{allowed[0]}" if len(allowed) == 1 else ""
    force = " --force" if (root() / runtime.name).exists() else ""
    return f"interlingua env create {runtime.name}{python}{force}"


def variable(runtime: Runtime) -> str:
    """The environment variable that names a runtime's interpreter."""
    return PYTHON_VARIABLE + re.sub(r"\W", "_", runtime.name).upper()


def interpreter_for(runtime: Runtime, explicit: str | None = None) -> Path:
    """The interpreter that runs a runtime.

    The first of: `explicit`, the variable `INTERLINGUA_PYTHON_<RUNTIME>`, the environment created for it, the
    current interpreter where its version fits and all modules are installed.

    Raises:
        RuntimeMissing: none of these; the hint is the command that makes one.
    """
    said = explicit or os.environ.get(variable(runtime))
    if said:
        python = find_python(said)
        version = version_of(python)
        if version is None or not satisfies(version, specifier(runtime.python)):
            raise RuntimeMissing(
                f"Expected Python {runtime.python} for the runtime {runtime.name!r}. "
                f"Received {python}, which is {dotted(version) if version else 'none'}.",
                hint=f"Run: {create_command(runtime)}",
            )
        return python
    created = environment_python(runtime.name)
    if created:
        return created
    lacking = [module for module in runtime.imports if _fits_here(runtime) and spec_of(module) is None]
    if _fits_here(runtime) and not lacking:
        return Path(sys.executable)
    here = f"which lacks {', '.join(lacking)}" if lacking else f"which is {dotted(sys.version_info[:3])}"
    raise RuntimeMissing(
        f"Expected Python {runtime.python} with {', '.join(runtime.imports)} for the runtime {runtime.name!r}. "
        f"Received no environment of that name, and {sys.executable}, {here}.",
        hint=f"Run: {create_command(runtime)}",
    )


def script_path(runtime: Runtime) -> Path:
    """The runtime's script on disk, found without importing its package.

    Raises:
        PluginError: the package or the file is not there.
    """
    package, _, rest = runtime.script.partition("/")
    spec = importlib.util.find_spec(package)
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / rest).is_file():
            return Path(location) / rest
    raise PluginError(f"Expected the script {runtime.script!r} of the runtime {runtime.name!r}. Found no such file.")


def open_worker(runtime_name: str, *, python: str | None = None, memory_bytes: int | None = None) -> Worker:
    """A worker for a runtime, not yet started.

    Raises:
        UsageError: no plugin declares the runtime.
        RuntimeMissing: no interpreter has it.
    """
    from interlingua.worker.process import Worker

    runtime = plugin.runtime(runtime_name)
    return Worker(
        interpreter_for(runtime, python),
        script_path(runtime),
        name=runtime.name,
        memory_bytes=memory_bytes,
        mend=f"Run: {create_command(runtime)}",
    )


@dataclasses.dataclass(frozen=True)
class Status:
    """What `doctor` says of a runtime. `problem` and `mend` (a command) are empty where all is well."""

    runtime: str
    title: str
    python: str = ""
    python_version: str = ""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    problem: str = ""
    mend: str = ""


def _probe(python: Path, modules: tuple[str, ...]) -> dict[str, tuple[str, str] | None]:
    script = importlib.util.find_spec("interlingua.worker.probe")
    done = subprocess.run(
        [str(python), str(script and script.origin), *modules],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=child_environment(python),
    )
    found = json.loads(done.stdout) if done.returncode == 0 else dict.fromkeys(modules)
    return {module: tuple(pair) if pair else None for module, pair in found.items()}


def _mend(runtime: Runtime, python: Path) -> str:
    if is_current(python) or python == environment_python(runtime.name):
        return create_command(runtime)
    return f"{shlex.quote(str(python))} -m pip install {' '.join(map(shlex.quote, ('numpy', *runtime.requirements)))}"


def _from_nothing(runtime: Runtime) -> str:
    """The command that makes an environment, after the one that installs an interpreter where none is found."""
    try:
        find_python(runtime.python)
    except RuntimeMissing:
        newest = (series(specifier(runtime.python)) or [runtime.python])[0]
        tool = "pyenv" if shutil.which("pyenv") and not shutil.which("uv") else "uv python"
        return f"{tool} install {newest} && {create_command(runtime)}"
    return create_command(runtime)


def _unmet(runtime: Runtime, found: dict[str, tuple[str, str] | None]) -> list[str]:
    lacking = [f"{module} is not installed" for module, pair in found.items() if pair is None]
    installed = {canonicalize_name(pair[0]): pair[1] for pair in found.values() if pair and pair[0]}
    for requirement in map(Requirement, runtime.requirements):
        version = installed.get(canonicalize_name(requirement.name))
        if version and not requirement.specifier.contains(version, prereleases=True):
            lacking.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    return lacking


def status(runtime: Runtime) -> Status:
    """What is there of a runtime, by looking and not by importing."""
    try:
        python = interpreter_for(runtime)
    except RuntimeMissing as error:
        return Status(runtime.name, runtime.title, problem=error.message, mend=_from_nothing(runtime))
    version = version_of(python)
    if version is None:
        return Status(runtime.name, runtime.title, str(python), problem="it does not run", mend=_mend(runtime, python))
    found = _probe(python, runtime.imports)
    unmet = _unmet(runtime, found)
    return Status(
        runtime.name,
        runtime.title,
        str(python),
        dotted(version),
        {module: pair[1] or "unknown" for module, pair in found.items() if pair},
        "; ".join(unmet),
        _mend(runtime, python) if unmet else "",
    )


@dataclasses.dataclass(frozen=True)
class Environment:
    """A created environment; `whole` is false where its creation was interrupted."""

    name: str
    path: Path
    python_version: str = ""
    requirements: tuple[str, ...] = ()
    whole: bool = True


def list_() -> list[Environment]:
    """The environments there are, by name."""
    environments = []
    for config in sorted(root().glob("*/pyvenv.cfg")):
        folder = config.parent
        if folder.name.startswith("."):
            continue
        try:
            marker: dict[str, Any] = json.loads((folder / MARKER).read_text())
            found = Environment(folder.name, folder, marker["python"], tuple(marker["requirements"]))
        except (OSError, ValueError, KeyError):
            found = Environment(folder.name, folder, whole=False)
        environments.append(found)
    return environments


def remove(name: str) -> Path:
    """Removes an environment; the folder it was in.

    Raises:
        UsageError: there is none of that name.
    """
    known = {environment.name: environment.path for environment in list_()}
    if name not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"Expected an environment in {root()} ({there}). Received {name!r}.")
    with _locked(name):
        (known[name] / MARKER).unlink(missing_ok=True)
        shutil.rmtree(known[name])
    return known[name]


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    try:
        root().mkdir(parents=True, exist_ok=True)
        file = open(root() / f".{name}.lock", "w")  # noqa: SIM115  (closed below)
    except OSError as error:
        raise OutputError(f"Expected to write into {root()}. Received: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(f"Expected the environment {name!r} at rest. Another process works on it.") from None
        yield


def create(
    runtime: Runtime, python: str | None = None, *, force: bool = False, say: Callable[[str], None] = lambda line: None
) -> Environment:
    """Makes an environment for a runtime with the given interpreter and what it requires; whole or not at all.

    It is built where it will live, since an environment cannot be moved, and its marker is written last. One that
    was there is put aside until then, and put back on failure. `say` receives pip's lines.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
        RuntimeMissing: no interpreter, or pip failed; its last lines are told.
    """
    interpreter = find_python(python or runtime.python)
    version = version_of(interpreter)
    if version is None or not satisfies(version, specifier(runtime.python)):
        received = f"Received {interpreter}, which is {dotted(version) if version else 'none'}."
        raise RuntimeMissing(f"Expected Python {runtime.python} for the runtime {runtime.name!r}. {received}")
    folder, aside = root() / runtime.name, root() / f".{runtime.name}.aside"
    with _locked(runtime.name):
        if (folder / MARKER).exists() and not force:
            raise OutputError(f"Expected no environment {str(folder)!r} yet. It exists.", hint="--force replaces it.")
        if folder.exists() and not (folder / "pyvenv.cfg").exists():
            raise OutputError(f"Expected {str(folder)!r} to be free. It holds something that is no environment.")
        shutil.rmtree(aside, ignore_errors=True)
        if folder.exists():
            folder.rename(aside)
        try:
            _run([str(interpreter), "-m", "venv", str(folder)], runtime, say)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
            _run([*pip, "pip>=20.3"], runtime, say)  # the first to read the wheels of today
            _run([*pip, "numpy", *runtime.requirements], runtime, say)
            facts = {"runtime": runtime.name, "python": dotted(version), "requirements": list(runtime.requirements)}
            (folder / MARKER).write_text(json.dumps(facts, indent=2) + "\n")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if aside.exists():
                aside.rename(folder)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    return Environment(runtime.name, folder, dotted(version), runtime.requirements)


def _run(command: list[str], runtime: Runtime, say: Callable[[str], None]) -> None:
    last: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=child_environment(Path(command[0])),
    ) as process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            say(line.rstrip())
    if process.returncode:
        raise RuntimeMissing(
            f"Expected to make an environment for {runtime.name!r}. Received exit code {process.returncode} of:\n"
            f"  {shlex.join(command)}" + "".join(f"\n  {line}" for line in last)
        )
