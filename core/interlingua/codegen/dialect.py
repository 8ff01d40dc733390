"""How a framework's code is spelled: abbreviations, receivers, and the lowerings that data cannot say."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.moves import Move
from interlingua.errors import PluginError

if TYPE_CHECKING:
    from interlingua.codegen.lowering import Context

Lowering = Callable[["Context", ir.Node, Facts], list[ast.expr] | ast.expr | None]


@dataclasses.dataclass(frozen=True)
class Abbreviation:
    """`prefix` of a full API name, what the code writes for it, and the import that provides it."""

    prefix: str
    short: str
    statement: str


@dataclasses.dataclass(frozen=True)
class Dialect:
    """A framework's way of writing.

    `abbreviations` are tried in order. `lowerings` are functions for ops that cards cannot say, tried before the
    cards; each returns the expressions of the node's outputs (None where it
    added the statements itself) and raises `Unsupported` before it changes anything.
    `reserved` are identifiers the skeleton uses. `tensor` spells a tensor the model owns ("self.{name}");
    `fuses` are record families that a person nests; `reuses_inputs` lets `x = f(x)` overwrite an argument;
    `reuses_layers` calls one layer twice where the source does (a lowering must not change it after its first call).
    `structured` leaves variables single and nothing nested: `interlingua.codegen.structure` does both. `keeps_state`
    keeps each weight under the name and in the form of the source's state, though no layer may have it so.
    `computes` tells that code may say parameters which the model computes, sizes as whole numbers and control flow;
    then `tensor_of` is the API that makes a tensor of numbers, `layer_dtype` a layer's argument for the type of its
    weights, `helpers` the package whose functions are copied, `limits` the API of an element type's `min` and `max`,
    `moves` how a parameter is said that the source rearranges before it reads it. `in_place` is the argument by which
    an API overwrites its input, `overwritable` the ops whose results may be: new memory that no gradient reads again.
    `layers` are functions without a card that a layer does too, and those of their arguments that it takes.
    `identity` makes a second output of a value that is one already.
    """

    framework: str
    abbreviations: tuple[Abbreviation, ...]
    lowerings: Mapping[str, Lowering] = dataclasses.field(default_factory=dict)
    reserved: frozenset[str] = frozenset({"self"})
    tensor: str = "self.{name}"
    data_axes: str = "N C *"
    reuses_inputs: bool = True
    reuses_layers: bool = False
    fuses: frozenset[str] = frozenset({"activation"})
    structured: bool = False
    keeps_state: bool = False
    computes: bool = False
    tensor_of: str = ""
    layer_dtype: str = ""
    helpers: str = ""
    moves: Mapping[str, Move] = dataclasses.field(default_factory=dict)
    limits: str = ""
    in_place: str = ""
    identity: str = ""
    overwritable: frozenset[str] = frozenset()
    layers: Mapping[str, tuple[str, tuple[str, ...]]] = dataclasses.field(default_factory=dict)

    def spell(self, api: str) -> tuple[str, str]:
        """The code for a full API name, and the import it wants.

        Raises:
            PluginError: no abbreviation covers it.
        """
        for row in self.abbreviations:
            if api == row.prefix:
                return row.short, row.statement
            if api.startswith(f"{row.prefix}."):
                return f"{row.short}{api[len(row.prefix) :]}", row.statement
        raise PluginError(f"Expected an abbreviation of the dialect of {self.framework} for {api!r}. Received none.")


class Lowerings(dict[str, Lowering]):
    """Lowerings by canonical op, filled by decoration: `@lowers("Gemm")`."""

    def __call__(self, *ops: str) -> Callable[[Lowering], Lowering]:
        """Registers a function for the ops.

        Raises:
            PluginError: an op has one already; both are named.
        """

        def keep(function: Lowering) -> Lowering:
            for op in ops:
                if op in self:
                    raise PluginError(
                        f"Expected one lowering of {op}. Received {self[op].__name__} and {function.__name__}."
                    )
                self[op] = function
            return function

        return keep
