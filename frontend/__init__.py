"""ONNX to graph: the only part of tmc that imports onnx."""

from tmc.frontend.onnx_import import load

__all__ = ["load"]
