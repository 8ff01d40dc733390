"""The shapes of a network's inputs: as the user says them, else as the layers that feed data declare them."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua.artifact import ReadOptions
from interlingua.errors import InvalidSource, UsageError
from interlingua.notes import Assumed
from interlingua_caffe.proto import Message

Shape = tuple[int | str | None, ...]
BATCH = "batch"


def _listed(shapes: Sequence[Message], index: int) -> tuple[int, ...] | None:
    """The shape for a top: the only one is for all of them."""
    if not shapes:
        return None
    return tuple(shapes[index if len(shapes) > 1 and index < len(shapes) else 0].dim)


def _dummy(parameters: Message, index: int) -> tuple[int, ...] | None:
    if parameters.shape:
        return _listed(parameters.shape, index)
    sizes = [getattr(parameters, name) for name in ("num", "channels", "height", "width")]
    return tuple(size[index if index < len(size) else 0] for size in sizes) if all(sizes) else None


def declared(layer: Message, top: str) -> tuple[int, ...] | None:
    """The shape a data layer declares for a top; None where it depends on data that are not here."""
    index = list(layer.top).index(top)
    if layer.HasField("input_param"):
        return _listed(layer.input_param.shape, index)
    if layer.HasField("dummy_data_param"):
        return _dummy(layer.dummy_data_param, index)
    if layer.HasField("memory_data_param"):
        given = layer.memory_data_param
        return (given.batch_size, given.channels, given.height, given.width) if index == 0 else (given.batch_size,)
    return None


def _fixes_batch(layer: Message) -> bool:
    """Whether a layer writes a batch size into its output's shape."""
    dims = layer.reshape_param.shape.dim
    return bool(layer.HasField("reshape_param") and dims and dims[0] > 0 and layer.reshape_param.axis == 0)


class InputShapes:
    """Shapes of the inputs of one network. A declared batch size is only an example unless a layer fixes it."""

    def __init__(self, sources: Sequence[Message], layers: Sequence[Message], options: ReadOptions) -> None:
        self._names = [top for layer in sources for top in layer.top]
        self._options = options
        self._free = not any(_fixes_batch(layer) for layer in layers)
        wrong = [name for name in options.shapes if name not in (*self._names, "")]
        if wrong:
            raise UsageError(
                f"Expected a shape for one of the inputs {', '.join(self._names)}. Received one for {wrong[0]!r}."
            )

    def _said(self, top: str) -> Shape | None:
        only = self._options.shapes.get("") if len(self._names) == 1 or self._names[0] == top else None
        return self._options.shapes.get(top, only)

    def of(self, layer: Message, top: str) -> Shape:
        """The shape of an input.

        Raises:
            InvalidSource: nobody says it; how to say it is told.
        """
        said = self._said(top)
        if said is not None:
            return (BATCH if said[:1] == (None,) else said[0], *said[1:]) if said else said
        shape = declared(layer, top)
        if shape is None:
            article = "an" if layer.type[:1] in "AEIOU" else "a"
            raise InvalidSource(
                f"Expected a network that says the shape of its input {top!r}. "
                f"Received {article} {layer.type} layer, whose data are not here.",
                place=f"layer {layer.name!r}",
                hint=f"Give it: --input-shape {top}=1,3,224,224 (batch, channels, height, width); "
                "or name the deploy.prototxt.",
            )
        if not self._free or len(shape) < 2:
            return shape
        self._options.notes.add(Assumed(top, f"The batch of {shape[0]} in the prototxt is an example: any size goes."))
        return (BATCH, *shape[1:])
