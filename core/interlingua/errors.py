"""Errors a user can meet: law and fact, the place, the next step; one exit code a class."""

from __future__ import annotations

from collections.abc import Sequence


class InterlinguaError(Exception):
    """The root of every error the project raises on purpose.

    `message` says law and fact ("Expected … . Received …"), `place` where it stands in the source
    model or on disk, `hint` what to do next.
    """

    exit_code = 1
    title = "error"

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        where = f" At {self.place}." if self.place else ""
        what_next = f" {self.hint}" if self.hint else ""
        return f"{self.message}{where}{what_next}"


class UsageError(InterlinguaError):
    """An option, a name or a combination of them that means nothing."""

    exit_code = 2
    title = "usage"


class InvalidSource(InterlinguaError):
    """The file is not what its reader expects: wrong kind, truncated, corrupt, incomplete."""

    exit_code = 3
    title = "invalid source"


class UntrustedSource(InterlinguaError):
    """Reading would execute code or leave the folder, and nobody said the file is trusted."""

    exit_code = 4
    title = "untrusted source"


class UnsupportedModel(InterlinguaError):
    """Parts of the model that the target cannot say, all of them at once.

    `refusals` holds one for each, with its place in the source.
    """

    exit_code = 5
    title = "unsupported"

    def __init__(self, message: str, refusals: Sequence[str] = (), *, place: str = "", hint: str = "") -> None:
        listed = "".join(f"\n  {line}" for line in refusals)
        super().__init__(f"{message}{listed}", place=place, hint=f"\n{hint}" if listed and hint else hint)
        self.refusals = tuple(refusals)


class VerificationFailed(InterlinguaError):
    """Source and target were both run and do not agree."""

    exit_code = 6
    title = "verification failed"


class RuntimeMissing(InterlinguaError):
    """No interpreter or framework was found to do the work; `hint` holds the command that mends it."""

    exit_code = 7
    title = "runtime missing"


class WorkerFailed(InterlinguaError):
    """A worker process crashed, hung, ran out of memory or raised; names plugin, phase, last output."""

    exit_code = 8
    title = "worker failed"


class OutputError(InterlinguaError):
    """The output cannot be written: it exists, is not writable, or the disk is full."""

    exit_code = 9
    title = "output"


class PluginError(InterlinguaError):
    """A plugin is missing, broken, or two claim one name."""

    exit_code = 10
    title = "plugin"


class StrictNotes(InterlinguaError):
    """Notes were taken under `--strict`, which allows none."""

    exit_code = 11
    title = "strict"


class Unsupported(Exception):
    """One op the target cannot say: a short reason. The driver adds the place and collects them all.

    `kind` tells what stands in the way: an "attribute", or with the classes below another thing.
    """

    kind = "attribute"


class UnknownOperator(Unsupported):
    """Nobody has told how the operator is said."""

    kind = "operator"


class ComputedShape(Unsupported):
    """What must be known beforehand is computed by the model, or a size is not known."""

    kind = "dynamic shape"


class UnknownType(Unsupported):
    """An element type that the target does not have."""

    kind = "dtype"


REMEDIES = {
    "operator": "register a card or a lowering for it from a file of yours: --with my_ops.py (docs/extending.md)",
    "attribute": "`interlingua api OP` shows who can say it; a lowering of yours may too (--with my_ops.py)",
    "dynamic shape": "fix the sizes with --input-shape, or convert to a target that computes them (torch, onnx)",
    "dtype": "convert the source to an element type that the target has",
}
"""By kind of refusal, what a user can do."""


class Refusal(str):
    """One node that cannot be said: the operator, its place in the source, the reason and its kind, in one line."""

    operator: str
    place: str
    reason: str
    kind: str

    def __new__(cls, operator: str, place: str, reason: str, kind: str = "attribute") -> Refusal:
        """The line with its parts."""
        line = super().__new__(cls, f"{operator} {place}: {reason}" if place else f"{operator}: {reason}")
        line.operator, line.place, line.reason, line.kind = operator, place, reason, kind
        return line

    @property
    def remedy(self) -> str:
        """What could be done."""
        return REMEDIES[self.kind]

    def as_json(self) -> dict[str, str]:
        """The parts by name."""
        parts = ("operator", "place", "reason", "kind", "remedy")
        return {name: getattr(self, name) for name in parts}
