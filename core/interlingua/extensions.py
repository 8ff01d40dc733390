"""Operators of users: records, cards, lowerings and function bodies from a Python file (`--with`) or a plugin.

Such a module may hold `RECORDS` (rows of `interlingua.records.record_of`; an operator of another domain has a name like
`"com.example::Snake"`), `CARDS` (a mapping from a framework's name to rows of `interlingua.cards.card`), `FUNCTIONS`
(functions as ONNX text, which `onnx.parser.parse_function` reads), and functions decorated with `lowers`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from interlingua.errors import PluginError, UsageError

if TYPE_CHECKING:
    from interlingua.cards import Card
    from interlingua.codegen.dialect import Lowering
    from interlingua.records import Record

FAMILY = "extensions"
"""The family of records that users bring."""

_loaded: dict[str, ModuleType] = {}
_lowerings: dict[tuple[str, str], Lowering] = {}


def lowers(framework: str, *operators: str) -> Callable[[Lowering], Lowering]:
    """Registers a lowering of operators for a framework: `@lowers("torch", "com.example::Snake")`.

    It is called with the context, the node and its facts, and returns the expression of the node's output, or one for
    each output. A user's lowering comes before a card and before a lowering of the plugin.
    """

    def keep(function: Lowering) -> Lowering:
        for operator in operators:
            _lowerings[framework, operator] = function
        return function

    return keep


def load(path: Path) -> None:
    """Runs a user's Python file and registers what it holds; loading it again replaces it.

    Raises:
        UsageError: there is no such file.
        PluginError: it does not run, or holds something else than it should; its own line is named.
    """
    if not path.is_file():
        raise UsageError(f"Expected a Python file with cards or lowerings. Received {str(path)!r}, which is no file.")
    name = f"interlingua_extension_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"Expected a Python file with cards or lowerings. Received {str(path)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = dict(_lowerings)
    try:
        spec.loader.exec_module(module)
        _check(module)
    except Exception as error:  # a user's file may fail in any way
        _lowerings.clear()
        _lowerings.update(before)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        place = f"{path.name}:{frames[-1].lineno}" if frames else path.name
        raise PluginError(
            f"Expected a file that registers cards or lowerings. Received {type(error).__name__}: {error}", place=place
        ) from error
    _register(str(path.resolve()), module)


def _check(module: ModuleType) -> None:
    from interlingua.cards import Card
    from interlingua.records import Record

    wrong = [row for row in getattr(module, "RECORDS", ()) if not isinstance(row, Record)]
    wrong += [row for rows in dict(getattr(module, "CARDS", {})).values() for row in rows if not isinstance(row, Card)]
    if wrong:
        raise TypeError(f"RECORDS holds rows of record_of, CARDS rows of card by framework, not {wrong[0]!r}")
    _functions(module)


def _register(key: str, module: ModuleType) -> None:
    from interlingua import cards as known_cards
    from interlingua import records as known_records

    _loaded[key] = module
    for cached in (known_cards.cards, known_cards.by_record, known_cards.by_api, known_records.records):
        cached.cache_clear()


@functools.cache
def _plugged() -> tuple[ModuleType, ...]:
    """The modules that plugins name in their hook `extensions`."""
    from interlingua import plugin

    found: list[ModuleType] = []
    for listed in plugin.listed():
        for name in listed.extensions:
            try:
                found.append(importlib.import_module(name))
            except Exception as error:  # another's module may fail in any way
                raise PluginError(f"Expected {name} of {listed.distribution} to be importable: {error}") from error
    return tuple(found)


def _modules() -> tuple[ModuleType, ...]:
    return (*_loaded.values(), *_plugged())


def records() -> list[Record]:
    """The records of all extensions."""
    return [row for module in _modules() for row in getattr(module, "RECORDS", ())]


def cards(framework: str) -> list[tuple[str, Sequence[Card]]]:
    """The cards of all extensions for a framework, with the module that holds them."""
    found: list[tuple[str, Sequence[Card]]] = []
    for module in _modules():
        rows: Mapping[str, Sequence[Card]] = getattr(module, "CARDS", {})
        found += [(module.__name__, rows[framework])] if framework in rows else []
    return found


def lowering(framework: str, operator: str) -> Lowering | None:
    """The lowering that an extension gives for an operator."""
    _plugged()
    return _lowerings.get((framework, operator))


def functions() -> list[Any]:
    """The function bodies of all extensions, as `onnx.FunctionProto`."""
    return [function for module in _modules() for function in _functions(module)]


@functools.cache
def _functions(module: ModuleType) -> tuple[Any, ...]:
    texts: Sequence[str] = getattr(module, "FUNCTIONS", ())
    if not texts:
        return ()
    import onnx

    return tuple(onnx.parser.parse_function(text) for text in texts)
