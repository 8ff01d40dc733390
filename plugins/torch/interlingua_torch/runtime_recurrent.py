"""Keeps recurrent layers whole while PyTorch exports them, whatever the length of their time axis.

PyTorch's own tracing unrolls `aten.lstm`, `aten.gru` and `aten.rnn_*` step by step to learn the shapes of their
outputs, which makes a dynamic time axis a constant. Inside `whole()` their shapes are computed instead; the exporter
to ONNX then writes LSTM and GRU by its own functions and RNN by the one here.
"""

import contextlib

import torch
from torch._C import DispatchKey
from torch._decomp import decomposition_table

ATEN = torch.ops.aten
KEYS = (DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd)
OPS = (ATEN.lstm.input, ATEN.gru.input, ATEN.rnn_tanh.input, ATEN.rnn_relu.input)


def _results(x, hidden, params, has_biases, layers, dropout, train, bidirectional, batch_first):
    """Empty tensors with the shapes of a recurrent layer's results."""
    states = hidden if isinstance(hidden, (list, tuple)) else [hidden]
    width = states[0].shape[-1] * (2 if bidirectional else 1)
    return (x.new_empty((*x.shape[:-1], width)), *(state.new_empty(state.shape) for state in states))


@contextlib.contextmanager
def whole():
    """Recurrent layers stay one operator each while the block lasts; nothing may be computed in it."""
    kept = [(op, dict(op.py_kernels), decomposition_table.get(op)) for op in OPS]
    try:
        for op in OPS:
            op.py_kernels.update(dict.fromkeys(KEYS, _results))
            decomposition_table[op] = _results
            op._dispatch_cache.clear()
        yield
    finally:
        for op, kernels, decomposition in kept:
            op.py_kernels.clear()
            op.py_kernels.update(kernels)
            op._dispatch_cache.clear()
            if decomposition is None:
                decomposition_table.pop(op, None)
            else:
                decomposition_table[op] = decomposition


def translations():
    """Functions for the exporter's `custom_translation_table`: what it has none of its own for."""
    from onnxscript import opset20 as op

    def layer(x, state, width, params, has_biases, bidirectional, activation):
        step = 4 if has_biases else 2
        ways = [params[i * step : (i + 1) * step] for i in range(2 if bidirectional else 1)]

        def stacked(parts):
            rows = [op.Unsqueeze(part, [0]) for part in parts]
            return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)

        weights = [stacked([way[i] for way in ways]) for i in range(2)]
        biases = [stacked([op.Concat(way[2], way[3], axis=0) for way in ways])] if has_biases else []
        said = {
            "activations": [activation] * len(ways),
            "direction": "bidirectional" if bidirectional else "forward",
            "hidden_size": width,
        }
        y, last = op.RNN(x, *weights, *biases, initial_h=state, **said)
        return op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), [0, 0, -1]), last

    def recurrent(activation):
        def function(
            x, hx, params, has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
            batch_first: bool,
        ):  # fmt: skip
            ways = 2 if bidirectional else 1
            count = ways * (4 if has_biases else 2)
            y, last = op.Transpose(x, perm=[1, 0, 2]) if batch_first else x, []
            for i in range(num_layers):
                state = op.Slice(hx, [i * ways], [(i + 1) * ways], [0])
                mine = params[i * count : (i + 1) * count]
                y, h = layer(y, state, hx.shape[2], mine, has_biases, bidirectional, activation)
                last.append(h)
            result = op.Transpose(y, perm=[1, 0, 2]) if batch_first else y
            return result, last[0] if len(last) == 1 else op.Concat(*last, axis=0)

        return function

    return {ATEN.rnn_tanh.input: recurrent("Tanh"), ATEN.rnn_relu.input: recurrent("Relu")}


def projected(program):
    """Whether an LSTM of the program projects its hidden state, which no ONNX operator does."""

    def widths(node):
        return [state.meta["val"].shape[-1] for state in node.args[1]]

    nodes = (node for node in program.graph.nodes if node.target is ATEN.lstm.input)
    return any(len(set(map(int, widths(node)))) > 1 for node in nodes)


def unrolled(program):
    """The program with its LSTMs step by step, each step by matrix products."""
    return program.run_decompositions({ATEN.lstm.input: decomposition_table[ATEN.lstm.input]})
