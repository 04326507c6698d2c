"""What an ONNX file computes, by a runtime that is not ours."""
