"""Compile a float ONNX network to integer C for GAP9-class microcontrollers."""

__version__ = "0.1.0"
