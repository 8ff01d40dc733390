"""Passes from the IR to the IR: one file each, in the one order that `CANONICAL` states."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from interlingua.notes import Notes
from interlingua.passes.base import Pass, ensure
from interlingua.passes.bias import FuseBias
from interlingua.passes.branches import ChooseBranches
from interlingua.passes.constants import LiftConstants
from interlingua.passes.contributed import RewriteContributed
from interlingua.passes.dense import FuseDense, SpellFlatten
from interlingua.passes.duplicates import MergeInitializers
from interlingua.passes.fold import FoldConstants
from interlingua.passes.infer import Inferred, InferShapes
from interlingua.passes.inline import AttachFunctions, InlineFunctions
from interlingua.passes.names import NameNodes, SortNodes
from interlingua.passes.no_ops import RemoveNoOps
from interlingua.passes.origins import RecordOrigins
from interlingua.passes.pads import ExplicitPads
from interlingua.passes.raising import JoinParts, MergeHeads, Raise, RaiseHeads, RaiseStatistics, SpellPlainly
from interlingua.passes.raising.recurrent import RaiseRecurrent
from interlingua.passes.shape_arithmetic import NameDimensions, ResolveShapes
from interlingua.passes.unused import RemoveUnused
from interlingua.passes.upgrade import UpgradeOpset

CANONICAL: tuple[type[Pass], ...] = (
    SortNodes,
    RecordOrigins,
    NameDimensions,
    InlineFunctions,
    AttachFunctions,
    InferShapes,
    UpgradeOpset,
    RewriteContributed,
    LiftConstants,
    InferShapes,
    SpellPlainly,
    RaiseStatistics,
    FoldConstants,
    ResolveShapes,
    InferShapes,
    FoldConstants,
    ChooseBranches,
    ResolveShapes,
    RemoveUnused,
    InferShapes,
    ExplicitPads,
    SpellPlainly,
    JoinParts,
    RemoveNoOps,
    RaiseRecurrent,
    Raise,
    RaiseHeads,
    MergeHeads,
    RemoveUnused,
    FuseBias,
    FuseDense,
    SpellFlatten,
    MergeInitializers,
    RemoveUnused,
    SortNodes,
    InferShapes,
    NameNodes,
)
"""The passes that bring a model as read into the canonical form."""


def run(model: ir.Model, passes: Sequence[type[Pass]] = CANONICAL, *, notes: Notes, debug: bool = False) -> ir.Model:
    """The model after `passes`, which change it in place; under `debug` their conditions are checked.

    An inference of shapes is left out where nothing that it goes by has changed since the last one; under `debug` it
    runs, and is held to change nothing.

    Raises:
        UnsupportedModel: an operator has no form in the pinned opset.
        onnx_ir.passes.InvariantError: a condition of a pass does not hold (only under `debug`).
    """
    inferred: Inferred | None = None
    for kind in passes:
        idle = kind is InferShapes and inferred is not None and inferred.holds(model)
        if idle and not debug:
            continue
        each = kind(notes)
        result = each(model) if debug else each.call(model)
        ensure(not (idle and result.modified), "An inference of shapes that is left out would change nothing.")
        model = result.model
        if kind is InferShapes:
            inferred = Inferred.of(model)
    return model
