"""Runs Caffe networks in OpenCV: loaded by file in a worker; of ours it loads two files of plain Python by their path."""

import importlib.util
import os
import platform
import sys

import cv2
import numpy as np

cv2.setNumThreads(2)
cv2.setRNGSeed(0)


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
    found = sorted(name for name in os.listdir(folder) if name.endswith(suffix))
    same = [name for name in found if os.path.splitext(name)[0] == stem] or found
    if len(same) != 1:
        raise ValueError("Expected one %s in %s. Received %s." % (suffix, folder, ", ".join(found) or "none"))
    return os.path.join(folder, same[0])


class _Network:
    """A prototxt with its weights in OpenCV, and which layer computes which blob."""

    def __init__(self, path, weights=None):
        graph = _only(path, ".prototxt", "deploy") if os.path.isdir(path) else path
        with open(graph, encoding="utf-8") as file:
            entries = _SCAN.outline(file.read())
        layers = [entry.children for entry in entries if entry.name == "layer"]
        self.layers = [(self._one(layer, "name"), self._one(layer, "type"), layer) for layer in layers]
        unproved = _ORACLE.unproved((name, kind, _SCAN.flat(layer)) for name, kind, layer in self.layers)
        if unproved:
            raise ValueError("OpenCV would not compute what Caffe does. " + " ".join(unproved))
        if weights is None and self._has_weights(os.path.dirname(graph)):
            weights = _only(os.path.dirname(graph), ".caffemodel", os.path.splitext(os.path.basename(graph))[0])
        self.net = cv2.dnn.readNetFromCaffe(graph, weights) if weights else cv2.dnn.readNetFromCaffe(graph)
        self.net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.net.enableFusion(False)
        self.net.enableWinograd(False)
        self.inputs = [top for _, kind, layer in self.layers if kind == "Input" for top in self._all(layer, "top")]
        self.blobs = {}
        for name, kind, layer in self.layers:
            for index, top in enumerate(self._all(layer, "top")):
                if kind != "Input":
                    self.blobs[top] = (name, index)

    @staticmethod
    def _has_weights(folder):
        return any(name.endswith(".caffemodel") for name in os.listdir(folder or "."))

    @staticmethod
    def _all(layer, field):
        return [entry.value for entry in layer if entry.name == field]

    def _one(self, layer, field):
        return self._all(layer, field)[0]

    def ends(self):
        """The blobs that nothing takes after they were last computed."""
        open_ = {}
        for name, _, layer in self.layers:
            for bottom in self._all(layer, "bottom"):
                open_.pop(bottom, None)
            for top in self._all(layer, "top"):
                open_[top] = name
        return [blob for blob in open_ if blob not in self.inputs]

    def feed(self, arrays):
        names = [name if name in self.inputs else by_order for name, by_order in zip(arrays, self.inputs)]
        for name, array in zip(names, arrays.values()):
            self.net.setInput(np.ascontiguousarray(array, dtype=np.float32), name)

    def compute(self, pins):
        """The arrays of (layer, index of its top) pairs."""
        layers = list(dict.fromkeys(layer for layer, _ in pins))
        groups = dict(zip(layers, self.net.forwardAndRetrieve(layers)))
        return [np.array(groups[layer][index]) for layer, index in pins]


def run(arrays, path, format, inputs=None, outputs=None, weights=None):
    """The network's outputs, in order, for inputs by blob name or in order."""
    network = _Network(path, weights)
    network.feed(arrays)
    names = outputs or network.ends()
    missing = [name for name in names if name not in network.blobs]
    if missing:
        raise ValueError("Expected blobs of the network (%s). Received %s." % (", ".join(network.blobs), ", ".join(missing)))
    return {}, dict(zip(names, network.compute([network.blobs[name] for name in names])))


def trace(arrays, path, format, names=None, weights=None):
    """What each layer computes, by layer name; all layers where none is named."""
    network = _Network(path, weights)
    network.feed(arrays)
    wanted = [(name, 0) for name, kind, _ in network.layers if kind != "Input" and (not names or name in names)]
    return {}, dict(zip([name for name, _ in wanted], network.compute(wanted)))


def materialise(arrays, folder, native, inputs):
    """What the backend wrote is what OpenCV takes: loads it, and counts its Permute layers."""
    network = _Network(folder)
    files = sorted(name for name in os.listdir(folder) if name.endswith((".prototxt", ".caffemodel")))
    return {"path": ".", "files": files, "transposes": sum(kind == "Permute" for _, kind, _ in network.layers)}, {}
