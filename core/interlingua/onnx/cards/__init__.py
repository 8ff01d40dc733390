"""What ONNX calls the canonical ops: what the records say of them, since they are the records."""
