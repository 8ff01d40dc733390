"""Recurrent cells in loops, as frameworks have them; as a script, exports them: `… script|torch|tf FOLDER`.

Run in a process of its own: torch and TensorFlow do not share one.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

HIDDEN, FEATURES, TIMES = 4, 5, 7


def torch_cases(script: bool):
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch._higher_order_ops.scan import scan

    class Own(nn.Module):
        """A cell's weights by themselves."""

        def __init__(self, gates: int):
            super().__init__()
            generator = torch.Generator().manual_seed(gates)
            for name, *shape in (("wx", FEATURES), ("wh", HIDDEN), ("bx",), ("bh",)):
                value = torch.randn(gates * HIDDEN, *shape, generator=generator) * 0.4
                setattr(self, name, nn.Parameter(value))

    class LoopedLSTMCell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(5, 4)

        def forward(self, x):
            h, c = torch.zeros(x.size(1), 4), torch.zeros(x.size(1), 4)
            results = torch.jit.annotate(list[torch.Tensor], [])
            for t in range(x.size(0)):
                h, c = self.cell(x[t], (h, c))
                results.append(h)
            return torch.stack(results), h, c

    class LoopedLSTM(Own):
        def forward(self, x):
            h, c = torch.zeros(x.size(1), 4), torch.zeros(x.size(1), 4)
            results = torch.jit.annotate(list[torch.Tensor], [])
            for t in range(x.size(0)):
                gates = torch.mm(x[t], self.wx.t()) + self.bx + torch.mm(h, self.wh.t()) + self.bh
                i, f, g, o = gates.chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                results += [h]
            return torch.stack(results), h

    class LoopedGRU(Own):
        def forward(self, x):
            h = torch.zeros(x.size(0), 4)
            results = torch.jit.annotate(list[torch.Tensor], [])
            for t in range(x.size(1)):
                a = F.linear(x[:, t], self.wx, self.bx).chunk(3, 1)
                b = F.linear(h, self.wh, self.bh).chunk(3, 1)
                r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
                h = (1 - z) * torch.tanh(a[2] + r * b[2]) + z * h
                results.append(h)
            return torch.stack(results, 1)

    class LoopedRNN(Own):
        def forward(self, x, h):
            for t in range(x.size(1)):
                h = torch.relu(F.linear(x[:, t], self.wx, self.bx) + F.linear(h, self.wh))
            return h

    class LoopedSum(Own):
        def forward(self, x, h):
            total = torch.zeros_like(h)
            for t in range(x.size(1)):
                h = torch.relu(F.linear(x[:, t], self.wx, self.bx) + F.linear(h, self.wh))
                total = total + h
            return total

    class LoopedStack(nn.Module):
        """A layer on a layer, in the same loop."""

        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LSTMCell(5, 4), nn.LSTMCell(4, 4)

        def forward(self, x):
            h, c = torch.zeros(x.size(1), 4), torch.zeros(x.size(1), 4)
            g, d = torch.zeros(x.size(1), 4), torch.zeros(x.size(1), 4)
            results = torch.jit.annotate(list[torch.Tensor], [])
            for t in range(x.size(0)):
                h, c = self.first(x[t], (h, c))
                g, d = self.second(h, (g, d))
                results.append(g)
            return torch.stack(results), h, d

    class Stack(nn.Module):
        """Layers on each other with a dense one between and a residual, and a dense one on their results."""

        def __init__(self):
            super().__init__()
            self.first, self.second = nn.GRUCell(5, 4), nn.RNNCell(6, 4)
            self.between, self.norm, self.out = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(4, 3, bias=False)

        def step(self, x, h, g):
            h = self.first(x, h)
            g = self.second(self.norm(torch.relu(self.between(h))), g)
            return h, g, torch.softmax(self.out(g + h), -1)

    class UnrolledStack(Stack):
        def forward(self, x):
            h = g = torch.zeros(x.size(0), 4)
            results = []
            for t in range(x.size(1)):
                h, g, y = self.step(x[:, t], h, g)
                results.append(y)
            return torch.stack(results, 1), h

    class ScannedStack(Stack):
        def forward(self, x):
            h, g = torch.zeros(x.size(0), 4), torch.zeros(x.size(0), 4)

            def step(states, each):
                h, g, y = self.step(each, *states)
                return (h, g.clone()), y

            (_, g), results = scan(step, (h, g), x, dim=1)
            return results, g

    class Scanned(nn.Module):
        def __init__(self, cell, reverse=False):
            super().__init__()
            self.cell, self.reverse = cell, reverse

        def forward(self, x):
            state = torch.zeros(x.size(0), 4)
            states = (state, torch.zeros(x.size(0), 4)) if isinstance(self.cell, nn.LSTMCell) else (state,)

            def step(states, each):
                new = self.cell(each, states if len(states) > 1 else states[0])
                new = new if isinstance(new, tuple) else (new,)
                return tuple(value.clone() for value in new), new[0].clone()

            states, results = scan(step, states, x, dim=1, reverse=self.reverse)
            return results, *states

    class Unrolled(nn.Module):
        def __init__(self, cell, reverse=False):
            super().__init__()
            self.cell, self.reverse = cell, reverse

        def forward(self, x):
            h = torch.zeros(x.size(0), 4)
            states = (h, torch.zeros(x.size(0), 4)) if isinstance(self.cell, nn.LSTMCell) else h
            results = []
            for each in reversed(x.unbind(1)) if self.reverse else x.unbind(1):
                states = self.cell(each, states)
                results.append(states[0] if isinstance(states, tuple) else states)
            results = results[::-1] if self.reverse else results
            return torch.stack(results, 1), results[2]

    def random(*shape):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))

    torch.manual_seed(0)
    times_first, x, h = random(7, 2, 5), random(2, 7, 5), random(2, 4)
    if script:
        return {
            "lstm_cell": (LoopedLSTMCell(), (times_first,)),
            "lstm": (LoopedLSTM(4), (times_first,)),
            "gru": (LoopedGRU(3), (x,)),
            "rnn": (LoopedRNN(1), (x, h)),
            "sum": (LoopedSum(1), (x, h)),
            "stack": (LoopedStack(), (times_first,)),
        }
    return {
        "scanned_lstm": (Scanned(nn.LSTMCell(5, 4)), (x,)),
        "scanned_gru": (Scanned(nn.GRUCell(5, 4), reverse=True), (x,)),
        "scanned_rnn": (Scanned(nn.RNNCell(5, 4, nonlinearity="relu")), (x,)),
        "unrolled_lstm": (Unrolled(nn.LSTMCell(5, 4)), (x,)),
        "unrolled_gru": (Unrolled(nn.GRUCell(5, 4), reverse=True), (x,)),
        "unrolled_rnn": (Unrolled(nn.RNNCell(5, 4, bias=False)), (x,)),
        "unrolled_stack": (UnrolledStack(), (x,)),
        "scanned_stack": (ScannedStack(), (x,)),
    }


def export_torch(folder: Path, script: bool) -> None:
    import numpy as np
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name, (module, inputs) in torch_cases(script).items():
        module.eval()
        path, labels = str(folder / f"{name}.onnx"), [f"x{i}" for i in range(len(inputs))]
        with torch.no_grad():
            expected = torch.utils._pytree.tree_leaves(module(*inputs))
            if script:
                axes = {label: {0: "first", 1: "second"} if i == 0 else {0: "first"} for i, label in enumerate(labels)}
                torch.onnx.export(
                    torch.jit.script(module),
                    inputs,
                    path,
                    dynamo=False,
                    opset_version=17,
                    input_names=labels,
                    dynamic_axes=axes,
                )
            else:
                program = torch.export.export(module, inputs, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
                made = torch.onnx.export(
                    program, dynamo=True, optimize=False, opset_version=20, verbose=False, input_names=labels
                )
                made.save(path, external_data=False)
        arrays = {f"in{i}": each.numpy() for i, each in enumerate(inputs)}
        arrays.update({f"out{i}": each.numpy() for i, each in enumerate(expected)})
        np.savez(folder / f"{name}.npz", **arrays)


def tensorflow_cases():
    import tensorflow as tf

    generator = tf.random.Generator.from_seed(3)

    def variable(name, *shape):
        return tf.Variable(generator.normal(shape) * 0.4, name=name)

    joint, bias = variable("joint", 9, 16), variable("bias", 16)
    inward, recurrent = variable("inward", 5, 12), variable("recurrent", 4, 12)

    def basic_lstm(x):
        """BasicLSTMCell of TensorFlow 1, in a loop of its own."""
        batch, times = tf.unstack(tf.shape(x)[:2])
        steps = tf.TensorArray(tf.float32, times).unstack(tf.transpose(x, [1, 0, 2]))

        def body(t, h, c, results):
            i, j, f, o = tf.split(tf.matmul(tf.concat([steps.read(t), h], 1), joint) + bias, 4, 1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            h = tf.tanh(c) * tf.sigmoid(o)
            return t + 1, h, c, results.write(t, h)

        zeros = tf.zeros([batch, 4])
        first = (0, zeros, zeros, tf.TensorArray(tf.float32, times))
        results = tf.while_loop(lambda t, *_: t < times, body, first)[3]
        return tf.transpose(results.stack(), [1, 0, 2])

    def scanned_gru(x):
        def step(h, each):
            a = tf.split(tf.matmul(each, inward) + bias[:12], 3, 1)
            z = tf.sigmoid(a[0] + tf.matmul(h, recurrent[:, :4]))
            r = tf.sigmoid(a[1] + tf.matmul(h, recurrent[:, 4:8]))
            n = tf.tanh(a[2] + tf.matmul(r * h, recurrent[:, 8:]))
            return z * h + (1 - z) * n

        return tf.scan(step, tf.transpose(x, [1, 0, 2]), initializer=tf.zeros([tf.shape(x)[0], 4]))

    layers = tf.keras.layers
    built = {
        "lstm": layers.LSTM(4, return_sequences=True),
        "gru": layers.GRU(4, return_sequences=True),
        "gru_resets_before": layers.GRU(4, reset_after=False),
        "gru_backwards": layers.GRU(4, go_backwards=True, return_sequences=True),
        "rnn": layers.SimpleRNN(4),
        "rnn_relu": layers.SimpleRNN(4, activation="relu", return_sequences=True),
        "bidirectional": layers.Bidirectional(layers.GRU(4)),
        "stack": layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)], return_sequences=True),
        "unrolled_stack": layers.RNN([layers.LSTMCell(4), layers.SimpleRNNCell(4)], return_sequences=True, unroll=True),
        "hard": layers.LSTM(4, recurrent_activation="hard_sigmoid"),
    }
    for layer in built.values():
        layer.build((None, 7, 5))
    cases = {name: (lambda x, layer=layer: layer(x)) for name, layer in built.items()}
    return {**cases, "basic_lstm": basic_lstm, "scanned_gru": scanned_gru}


def export_tensorflow(folder: Path) -> None:
    import numpy as np
    import tensorflow as tf
    import tf2onnx

    tf.config.threading.set_intra_op_parallelism_threads(1)
    x = np.random.default_rng(5).normal(size=(2, 7, 5)).astype(np.float32)
    for name, function in tensorflow_cases().items():
        specs = [tf.TensorSpec((None, 7 if name.startswith("unrolled") else None, 5), tf.float32)]
        whole = tf.function(function, input_signature=specs)
        tf2onnx.convert.from_function(whole, input_signature=specs, opset=17, output_path=str(folder / f"{name}.onnx"))
        np.savez(folder / f"{name}.npz", in0=x, out0=whole(x).numpy())


if __name__ == "__main__":
    chosen, target = sys.argv[1], Path(sys.argv[2])
    if chosen == "tf":
        export_tensorflow(target)
    else:
        export_torch(target, chosen == "script")
