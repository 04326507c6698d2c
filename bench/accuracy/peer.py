"""onnxruntime's own static quantiser, with its default settings, on the same network and windows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from tmc.ir.types import Array

PEER = f"onnxruntime {onnxruntime.__version__} quantize_static"


class _Windows(CalibrationDataReader):  # type: ignore[misc]  # published without type information
    """Hand out the calibration windows one by one."""

    def __init__(self, name: str, windows: Array) -> None:
        self._inputs = iter([{name: window[None]} for window in windows])

    def get_next(self) -> dict[str, Any] | None:
        """Return the next window, or None after the last."""
        return next(self._inputs, None)


def quantise_with_onnxruntime(model: Path, name: str, windows: Array, output: Path) -> None:
    """Write the QDQ model that onnxruntime makes of a float one; `name` is the input's."""
    logging.getLogger().setLevel(logging.ERROR)  # it advises a preprocessing of its own
    quantize_static(str(model), str(output), _Windows(name, windows))
