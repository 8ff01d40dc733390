"""A model on disk: its format, its files, what is read from it and what is written as one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlingua import plugin
from interlingua.errors import InvalidSource, UsageError
from interlingua.notes import Notes

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir

_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A recognised model on disk. `path` is what the user named; `files` are its parts by role
    ("graph", "weights", …); `facts` is what recognition already learned."""

    path: Path
    format: str
    files: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """What a user may say of a source: chosen inputs and outputs (names of the source), shapes by input name
    (None for an unknown axis; the key "" stands for the only input), trust, weights beside the graph.

    Of a source that is code: `arguments` of the factory, `example_inputs` (objects of a caller) or `examples` (an
    `.npz` file), `dtypes` by input name, and `dynamic` labels of axes by input name. `free_batch` makes a
    batch of 1 that the source states a named one where every operator is shown to work sample by sample; None does so
    too, but says nothing where it cannot be shown.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int | None, ...]] = dataclasses.field(default_factory=dict)
    trust: bool = False
    weights: Path | None = None
    notes: Notes = dataclasses.field(default_factory=Notes)
    scratch: Path | None = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    example_inputs: Any = None
    examples: Path | None = None
    dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dynamic: Mapping[str, Mapping[int, str]] = dataclasses.field(default_factory=dict)
    free_batch: bool | None = False


@dataclasses.dataclass(frozen=True)
class Local:
    """A source that lives in the caller's own process: how to run it there, and the versions it runs on."""

    run: Callable[[Mapping[str, np.ndarray[Any, Any]]], list[np.ndarray[Any, Any]]]
    versions: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Source:
    """A model that was read: the IR (not yet canonical) and how to run the original.

    `run` holds the arguments of the runtime's `run` beyond the arrays (see docs/architecture.md, "Runtimes");
    `runtime` is its name, empty where the original cannot be run in a worker; `local` runs it in this process.
    `examples` are arrays by input name that the source was read with: inputs of a proof are like them.
    """

    model: ir.Model
    artifact: Artifact
    runtime: str
    run: Mapping[str, Any]
    notes: Notes
    examples: Mapping[str, np.ndarray[Any, Any]] = dataclasses.field(default_factory=dict)
    local: Local | None = None


@dataclasses.dataclass(frozen=True)
class Layer:
    """A row of `interlingua inspect`."""

    name: str
    kind: str
    output: str = ""
    parameters: int = 0


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What `interlingua inspect` shows of an artifact. `missing` says what the file wants to be convertible."""

    format: str
    title: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    parameters: int
    missing: tuple[str, ...] = ()


def recognise(path: Path) -> Artifact:
    """The artifact at `path`, by its content.

    Raises:
        InvalidSource: nothing there, or no plugin knows the content, or a plugin knows it as a wrong kind.
    """
    if not path.exists() and not _is_prefix(path) and not _FACTORY.fullmatch(str(path)):
        raise InvalidSource(
            f"Expected a model file, folder or checkpoint prefix. Received {str(path)!r}, which does not exist."
        )
    if path.is_file() and path.stat().st_size == 0:
        raise InvalidSource(f"Expected a model. Received {str(path)!r}, which is empty.")
    wrong: InvalidSource | None = None
    for framework in plugin.frameworks().values():
        for form in framework.formats:
            if not form.recognise:
                continue
            try:
                artifact = plugin.resolve(form.recognise)(path)
            except InvalidSource as error:
                wrong = wrong or error
                continue
            if artifact is not None and artifact.format in {each.name for each in framework.formats}:
                return artifact  # type: ignore[no-any-return]
    if wrong:
        raise wrong
    raise InvalidSource(
        f"Expected a model of an installed plugin ({', '.join(plugin.frameworks())}). "
        f"Received {str(path)!r}, whose content none of them recognises.",
        hint="`interlingua plugins` lists the formats.",
    )


def recognise_value(value: object) -> Artifact:
    """The artifact that an object in memory is; its path is the name of its class.

    Raises:
        UsageError: no plugin takes such an object.
    """
    for framework in plugin.frameworks().values():
        for form in framework.formats:
            if form.accepts and plugin.resolve(form.accepts)(value):
                return Artifact(Path(type(value).__name__), form.name, facts={"value": value})
    kinds = [form.title for framework in plugin.frameworks().values() for form in framework.formats if form.accepts]
    raise UsageError(
        f"Expected a path, or an object that an installed plugin takes ({', '.join(kinds) or 'none'}). "
        f"Received one of {type(value).__module__}.{type(value).__qualname__}."
    )


def _is_prefix(path: Path) -> bool:
    """Whether `path` is a checkpoint prefix: files begin with its name."""
    return path.parent.is_dir() and any(path.parent.glob(f"{path.name}.*"))


def known_formats() -> dict[str, str]:
    """Every format's name with its title."""
    return {form.name: form.title for framework in plugin.frameworks().values() for form in framework.formats}


@dataclasses.dataclass(frozen=True)
class WriteOptions:
    """What a user may say of a target. `layout` is "source" (inputs and outputs keep the source's axis order),
    "native" (the target's own) or "channels_first"; `native` names the artifact, empty for the default. `opset` (0 for
    the newest written) and `external_data` (weights in a file beside the graph) are ONNX's."""

    layout: str = "source"
    native: str = ""
    class_name: str = ""
    notes: Notes = dataclasses.field(default_factory=Notes)
    opset: int = 0
    external_data: bool = False

    def __post_init__(self) -> None:
        if self.layout not in ("source", "native", "channels_first"):
            raise UsageError(f"Expected a layout (source, native, channels_first). Received {self.layout!r}.")
