"""Runs Caffe networks in OpenCV, in a worker: loaded by file, and loads two files of plain Python by their path."""

import importlib.util
import os
import platform
import re
import sys
import tempfile

import cv2
import numpy as np

cv2.setNumThreads(2)
cv2.setRNGSeed(0)
_FLOOR = re.compile(r"round_mode\s*:\s*(FLOOR|1)\b")
_CEIL = re.compile(r"round_mode\s*:\s*(CEIL|0)\b")


def _sibling(*parts):
    """A file of this package that needs the standard library alone."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), *parts)
    spec = importlib.util.spec_from_file_location("caffe_" + parts[-1][: -len(".py")], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_SCAN = _sibling("proto", "scan.py")
_ORACLE = _sibling("oracle.py")


def versions(arrays):
    """The versions that a proof is stamped with."""
    return {"python": platform.python_version(), "opencv": cv2.__version__}, {}


def _only(folder, suffix, stem):
    """The file of that stem, else the only one; None where there is none."""
    found = sorted(name for name in os.listdir(folder or ".") if name.endswith(suffix))
    same = [name for name in found if os.path.splitext(name)[0] == stem] or found
    if len(same) > 1:
        raise ValueError("Expected one %s in %s. Received %s." % (suffix, folder, ", ".join(found)))
    return os.path.join(folder, same[0]) if same else None


def _files(path, weights):
    graph = _only(path, ".prototxt", "deploy") if os.path.isdir(path) else path
    if graph is None:
        raise ValueError("Expected a prototxt in %s. Received none." % path)
    stem = os.path.splitext(os.path.basename(graph))[0]
    return graph, weights or _only(os.path.dirname(graph), ".caffemodel", stem)


def _network(text, weights):
    """The network in OpenCV, which spells Caffe's `round_mode: FLOOR` as its own `ceil_mode: false`."""
    spelled = _CEIL.sub("", _FLOOR.sub("ceil_mode: false", text))
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", encoding="utf-8") as file:
        file.write(spelled)
        file.flush()
        net = cv2.dnn.readNetFromCaffe(file.name, *([weights] if weights else []))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableFusion(False)
    net.enableWinograd(False)
    return net


class _Network:
    """A network, and which layer computes which blob."""

    def __init__(self, path, text=None, weights=None):
        graph, weights = _files(path, weights)
        if text is None:
            with open(graph, encoding="utf-8") as file:
                text = file.read()
        layers = [entry.children for entry in _SCAN.outline(text) if entry.name == "layer"]
        self.layers = [(_first(layer, "name"), _first(layer, "type"), layer) for layer in layers]
        unproved = _ORACLE.unproved((name, kind, _SCAN.flat(layer)) for name, kind, layer in self.layers)
        if unproved:
            raise ValueError("OpenCV would not compute what Caffe does. " + " ".join(unproved))
        self.net = _network(text, weights)
        self.inputs = [top for _, kind, layer in self.layers if kind == "Input" for top in _every(layer, "top")]
        self.known = set(self.net.getLayerNames())
        self.blobs = {}
        for name, kind, layer in self.layers:
            if kind != "Input":
                pin = self.pin(name, layer)
                self.blobs.update((top, (pin, index)) for index, top in enumerate(_every(layer, "top")))

    def pin(self, name, layer):
        """The layer's name in OpenCV, which calls some by their top."""
        return name if name in self.known else _first(layer, "top")

    def ends(self):
        """The blobs that nothing takes after they were last computed."""
        left = {}
        for name, _, layer in self.layers:
            for bottom in _every(layer, "bottom"):
                left.pop(bottom, None)
            left.update((top, name) for top in _every(layer, "top"))
        return [blob for blob in left if blob not in self.inputs]

    def feed(self, arrays):
        """Gives inputs by blob name, else in order."""
        by_name = all(name in self.inputs for name in arrays)
        for name, array in zip(arrays if by_name else self.inputs, arrays.values(), strict=False):
            self.net.setInput(np.ascontiguousarray(array, dtype=np.float32), name)

    def compute(self, pins):
        """The arrays of (layer, index of its top) pairs."""
        layers = list(dict.fromkeys(layer for layer, _ in pins))
        groups = dict(zip(layers, self.net.forwardAndRetrieve(layers), strict=True))
        return [np.array(groups[layer][index]) for layer, index in pins]


def _every(layer, field):
    return [entry.value for entry in layer if entry.name == field]


def _first(layer, field):
    return next(iter(_every(layer, field)), "")


def run(arrays, path, format, inputs=None, outputs=None, text=None, weights=None):
    """The network's outputs, in order, for inputs by blob name or in order; `text` stands in for the prototxt."""
    network = _Network(path, text, weights)
    network.feed(arrays)
    names = outputs or network.ends()
    missing = [name for name in names if name not in network.blobs]
    if missing:
        known = ", ".join(network.blobs)
        raise ValueError("Expected blobs of the network (%s). Received %s." % (known, ", ".join(missing)))
    return {}, dict(zip(names, network.compute([network.blobs[name] for name in names]), strict=True))


def trace(arrays, path, format, names=None, text=None, weights=None):
    """What each layer computes, by layer name; all layers where none is named."""
    network = _Network(path, text, weights)
    network.feed(arrays)
    wanted = [row for row in network.layers if row[1] != "Input" and (not names or row[0] in names)]
    arrays = network.compute([(network.pin(name, layer), 0) for name, _, layer in wanted])
    return {}, dict(zip([name for name, _, _ in wanted], arrays, strict=True))


def materialise(arrays, folder, native, inputs):
    """Loads what the backend wrote, which is the native artifact already; counts its Permute layers."""
    network = _Network(folder)
    files = sorted(name for name in os.listdir(folder) if name.endswith((".prototxt", ".caffemodel")))
    return {"path": ".", "files": files, "transposes": sum(kind == "Permute" for _, kind, _ in network.layers)}, {}
