"""Writes model.onnx, a small network with two operators of com.example that no framework has."""

import numpy as np
import onnx

TEXT = """
<ir_version: 10, opset_import: ["": 20, "com.example": 1]>
audio (float[N, 16] wave) => (float[N, 8] features) {
    hidden = Gemm <transB = 1> (wave, hidden_weight, hidden_bias)
    bent = com.example.Snake <alpha = 0.5> (hidden)
    squared = com.example.SquaredRelu (bent)
    features = Gemm <transB = 1> (squared, out_weight, out_bias)
}
"""
SHAPES = {"hidden_weight": (32, 16), "hidden_bias": (32,), "out_weight": (8, 32), "out_bias": (8,)}

if __name__ == "__main__":
    random = np.random.default_rng(13)
    model = onnx.parser.parse_model(TEXT)
    for name, shape in SHAPES.items():
        values = random.normal(0, 0.3, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(model, "model.onnx")
