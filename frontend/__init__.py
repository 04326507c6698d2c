"""ONNX to graph: the only part of tmc that imports onnx."""
