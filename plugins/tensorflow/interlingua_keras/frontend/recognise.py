"""Keras models recognised by content, and what `interlingua inspect` shows of one."""

from __future__ import annotations

from pathlib import Path

from interlingua.artifact import Artifact, Inspection, Layer
from interlingua_keras.frontend.archive import ARCHIVE, WHOLE_H5, kind, open_archive
from interlingua_keras.frontend.network import Network, read_network

TITLES = {ARCHIVE: "a Keras archive (.keras)", WHOLE_H5: "a whole Keras model in HDF5 (.h5)"}


def archive(path: Path) -> Artifact | None:
    """A `.keras` archive, None where it is something else.

    Raises:
        InvalidSource: an unfinished archive, or weights only.
        UntrustedSource: its members would leave the folder.
    """
    return Artifact(path, ARCHIVE, {"graph": path, "weights": path}) if kind(path) == ARCHIVE else None


def whole_h5(path: Path) -> Artifact | None:
    """A whole-model `.h5`, None where it is something else.

    Raises:
        InvalidSource: a truncated file, or weights only.
    """
    return Artifact(path, WHOLE_H5, {"graph": path, "weights": path}) if kind(path) == WHOLE_H5 else None


def inspect(artifact: Artifact) -> Inspection:
    """The layers of a Keras model, those of inner models under their path. Executes nothing, so it trusts anything."""
    opened = open_archive(artifact.path)
    network = read_network(opened, trust=True, input_shape=())
    rows = []
    for parents, layer in network.walk():
        if not layer.is_input:
            parameters = sum(variable.size for variable in layer.variables.values())
            rows.append(Layer("/".join((*parents, layer.name)), layer.class_name, "", parameters))
    missing = _missing(network, [row.kind for row in rows])
    return Inspection(
        artifact.format,
        f"{TITLES[artifact.format]}, saved by Keras {opened.version}",
        tuple(_described(network, reference.layer) for reference in network.inputs),
        tuple(name for name, _ in network.outputs),
        tuple(rows),
        sum(row.parameters for row in rows),
        missing,
    )


def _described(network: Network, name: str) -> str:
    layer = network.layer(name)
    shape = layer.input_shape
    sizes = "?" if not shape else ", ".join("?" if size is None else str(size) for size in shape)
    return f"{name} {layer.dtype} [{sizes}]"


def _missing(network: Network, kinds: list[str]) -> tuple[str, ...]:
    said = []
    if any(not network.layer(reference.layer).input_shape for reference in network.inputs):
        said.append("the input's shape: say --input-shape")
    if "Lambda" in kinds:
        said.append("trust: a Lambda holds Python code (--trust)")
    return tuple(said)
