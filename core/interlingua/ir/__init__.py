"""The intermediate representation: ONNX in `onnx_ir`, its canonical form, and what is read off it."""
