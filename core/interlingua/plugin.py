"""Plugins: what one declares, and how they are found by entry point without importing a framework.

A plugin is a pip distribution with an entry point in the group `interlingua` that names a module; the module
holds a pluggy hook implementation of `frameworks`. Everything heavy is named as a string "module:function"
and imported when first used.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from interlingua.errors import PluginError, UsageError

GROUP = "interlingua"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclasses.dataclass(frozen=True)
class Runtime:
    """An environment in which a framework runs, in a worker process.

    `script` is the runtime file as "package/file.py", found without importing the package; it is loaded by file
    in the worker and imports nothing of ours. `python` is a version specifier, `requirements` what pip installs,
    `imports` the modules that must be importable there (the first one's version is the runtime's).
    """

    name: str
    title: str
    script: str
    python: str
    requirements: tuple[str, ...]
    imports: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of artifact on disk.

    `recognise` is "module:function", called with a `pathlib.Path`, that returns an `Artifact` or None, or raises
    `InvalidSource` for a file it knows and cannot take. `reader` is "module:function", called with
    (artifact, ReadOptions), that returns `interlingua.artifact.Source`; empty where the format is only run.
    `runtime` names the runtime that runs it. `accepts` is "module:function" of a format that lives in memory: called
    with any object, it says whether the reader takes it, by the names of its classes and without importing the
    framework; such a format is recognised by nothing on disk.
    """

    name: str
    title: str
    recognise: str = ""
    reader: str = ""
    runtime: str = ""
    inspector: str = ""
    accepts: str = ""


@dataclasses.dataclass(frozen=True)
class Backend:
    """How a framework is written: `writer` is "module:function", called with (ir.Model, WriteRequest), and
    returns `interlingua.artifact.Package`. `natives` are the formats it can make, the default first; `runtime`
    makes and runs them. `data_axes` is the framework's own order ("N C *" or "N * C"). `options` are fields of
    `interlingua.artifact.WriteOptions` that this backend alone understands."""

    writer: str
    natives: tuple[str, ...]
    runtime: str
    data_axes: str = "N C *"
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Framework:
    """One framework: names, what it reads, what it writes, where its cards are (a package name)."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
    formats: tuple[Format, ...] = ()
    backend: Backend | None = None
    cards: str = ""


class Hooks:
    """The hooks a plugin may implement."""

    @hookspec
    def frameworks(self) -> Sequence[Framework]:
        """The frameworks this plugin brings."""
        raise PluginError("A hook specification was called.")  # pluggy never calls it

    @hookspec
    def extensions(self) -> Sequence[str]:
        """Modules with cards, records and lowerings for frameworks of other plugins (see `interlingua.extensions`)."""
        raise PluginError("A hook specification was called.")  # pluggy never calls it


@dataclasses.dataclass(frozen=True)
class Listed:
    """One entry point: its distribution, and either its frameworks or the reason it is broken."""

    name: str
    distribution: str
    version: str
    frameworks: tuple[Framework, ...] = ()
    extensions: tuple[str, ...] = ()
    broken: str = ""


def _entry_points() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _load(point: EntryPoint, manager: pluggy.PluginManager) -> Listed:
    distribution = point.dist.name if point.dist else "?"
    version = point.dist.version if point.dist else "?"
    try:
        module = point.load()
        manager.register(module, name=f"{distribution}:{point.name}")
        brings = getattr(module, "frameworks", tuple)
        extends = getattr(module, "extensions", tuple)
        if brings is tuple and extends is tuple:
            raise PluginError(f"Expected a hook `frameworks` or `extensions` in {point.value}. Received none.")
        return Listed(point.name, distribution, version, tuple(brings()), tuple(extends()))
    except Exception as error:  # a plugin may break in any way; it must not break the others
        return Listed(point.name, distribution, version, broken=f"{type(error).__name__}: {error}")


@functools.cache
def listed() -> tuple[Listed, ...]:
    """Every installed plugin, a broken one with its reason. Imports no framework."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    return tuple(_load(point, manager) for point in _entry_points())


@functools.cache
def frameworks() -> dict[str, Framework]:
    """Every framework by name.

    Raises:
        PluginError: two plugins claim one name or alias; both are named.
    """
    found: dict[str, Framework] = {}
    claimed: dict[str, str] = {}
    for plugin in listed():
        for framework in plugin.frameworks:
            for name in (framework.name, *framework.aliases):
                if name in claimed:
                    raise PluginError(
                        f"Expected one plugin for the name {name!r}. "
                        f"Received two: {claimed[name]} and {plugin.distribution}.",
                        hint=f"Uninstall one of them: pip uninstall {plugin.distribution}",
                    )
                claimed[name] = plugin.distribution
            found[framework.name] = framework
    return dict(sorted(found.items()))


def framework(name: str) -> Framework:
    """The framework of that name or alias.

    Raises:
        UsageError: none has it; near names, the reason of a broken plugin, or what to install are said.
    """
    for candidate in frameworks().values():
        if name in (candidate.name, *candidate.aliases):
            return candidate
    for plugin in listed():
        if plugin.broken and name == plugin.name:
            raise PluginError(f"The plugin {plugin.distribution} is installed but broken: {plugin.broken}")
    known = [n for candidate in frameworks().values() for n in (candidate.name, *candidate.aliases)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Try: pip install interlingua-{name}"
    raise UsageError(
        f"Expected a framework of an installed plugin ({', '.join(frameworks())}). Received {name!r}.", hint=hint
    )


def runtime(name: str) -> Runtime:
    """The runtime of that name, of whichever plugin declares it.

    Raises:
        UsageError: no installed plugin declares it.
    """
    known = {r.name: r for candidate in frameworks().values() for r in candidate.runtimes}
    if name in known:
        return known[name]
    raise UsageError(f"Expected a runtime ({', '.join(sorted(known))}). Received {name!r}.")


def format_named(name: str) -> tuple[Framework, Format]:
    """The format of that name with its framework.

    Raises:
        UsageError: no installed plugin declares it.
    """
    for candidate in frameworks().values():
        for form in candidate.formats:
            if form.name == name:
                return candidate, form
    raise UsageError(f"Expected an artifact format of an installed plugin. Received {name!r}.")


def resolve(reference: str) -> Any:
    """What "module:attribute" names, imported now."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)
