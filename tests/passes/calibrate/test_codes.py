from __future__ import annotations

import numpy as np
import pytest

from tmc.ir.errors import QuantisationError
from tmc.ir.graph import Graph
from tmc.ir.types import DType, Per, Quant, TensorType
from tmc.passes.calibrate.codes import dequantise, quantise_inputs

GRAPH = Graph("net", ("x",), (), (), {"x": TensorType(DType.S16, (1, 5), Quant((0.5,)))}, {})


@pytest.mark.parametrize(
    ("bits", "limits"), [(None, [32767, -32768]), (15, [16383, -16384]), (8, [127, -128])]
)
def test_inputs_round_half_to_even_and_clip_to_their_bits(bits: int | None, limits: list[int]) -> None:
    kind = TensorType(DType.S16, (1, 5), Quant((0.5,), bits=bits))
    graph = Graph("net", ("x",), (), (), {"x": kind}, {})
    codes = quantise_inputs(graph, {"x": np.array([[0.25, 0.75, -0.75, 1e9, -1e9]])})
    assert codes["x"].dtype == np.int16
    assert codes["x"].tolist() == [[0, 2, -2, *limits]]
    assert list(kind.code_limits) == limits[::-1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_must_be_finite(value: float) -> None:
    with pytest.raises(QuantisationError, match="input %x: found NaN or infinity"):
        quantise_inputs(GRAPH, {"x": np.full((1, 5), value)})


def test_codes_back_to_numbers() -> None:
    kind = TensorType(DType.S8, (2, 2), Quant((0.5,), -3))
    assert dequantise(kind, np.array([[-3, -1], [0, 127]], dtype=np.int8)).tolist() == [[0, 1], [1.5, 65]]


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("channel", [1, 20, 3, 40]),
        ("head", [1, 2, 30, 40]),
        ("output_channel", [1, 2, 30, 40]),
        (None, [1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2), (1, 1, 2, 2), (4, 1)])
@pytest.mark.parametrize("runs", [(), (1,), (2,), (4,), (2, 3)])
def test_codes_back_with_several_scales(
    per: Per | None, expected: list[float], shape: tuple[int, ...], runs: tuple[int, ...]
) -> None:
    kind = TensorType(DType.S8, shape, Quant((1.0, 10.0) if per else (1.0,), per=per))
    codes = np.broadcast_to(np.array([1, 2, 3, 4], dtype=np.int8).reshape(shape), (*runs, *shape))
    found = dequantise(kind, codes)
    assert found.shape == codes.shape and (found.reshape(-1, 4) == expected).all()
