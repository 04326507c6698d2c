from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder, Size, transformer, windows
from tmc.ir.errors import CalibrationError
from tmc.ir.interpret import interpret
from tmc.passes.calibrate.calibrate import SAMPLE_ELEMENTS, calibrate

GRAPH = transformer(Size(layers=1))
WINDOWS = windows(GRAPH, 6)


def all_values() -> dict[str, np.ndarray]:
    seen: dict[str, list[np.ndarray]] = {"emg": list(WINDOWS)}
    for window in WINDOWS:
        interpret(GRAPH, {"emg": window}, lambda name, array: seen.setdefault(name, []).append(array))
    return {name: np.stack(arrays) for name, arrays in seen.items()}


def test_extremes_are_those_of_every_value_and_column() -> None:
    ranges = calibrate(GRAPH, {"emg": WINDOWS})
    values = all_values()
    assert ranges.samples == 6
    assert set(ranges.values) == set(values)
    for name, array in values.items():
        found = ranges.values[name]
        flat = array.reshape(-1, array.shape[-1])
        assert np.array_equal(found.column_low, flat.min(axis=0))
        assert np.array_equal(found.column_high, flat.max(axis=0))
        assert (found.low, found.high) == (flat.min(), flat.max())
        assert found.magnitude == np.abs(flat).max()


def test_samples_are_elements_of_their_columns_and_cover_all_columns() -> None:
    ranges = calibrate(GRAPH, {"emg": WINDOWS})
    for name, array in all_values().items():
        found = ranges.values[name]
        flat = array.reshape(-1, array.shape[-1])
        columns = flat.shape[1]
        assert min(array.size, SAMPLE_ELEMENTS // 2) <= len(found.sample) <= 2 * SAMPLE_ELEMENTS
        assert set(found.sample_columns.tolist()) == set(range(columns))
        for column in range(0, columns, 7):
            assert np.isin(found.sample[found.sample_columns == column], flat[:, column]).all()


def test_a_large_value_is_thinned_out() -> None:
    graph = transformer(Size(channels=4, patches=50, width=32, heads=2, layers=1))
    found = calibrate(graph, {"emg": windows(graph, 8)}).values["0.gelu"]
    assert SAMPLE_ELEMENTS / 2 < len(found.sample) < 1.1 * SAMPLE_ELEMENTS
    assert np.bincount(found.sample_columns, minlength=128).min() > 100


def test_no_column_is_missed_where_the_stride_is_a_multiple_of_their_number() -> None:
    b = GraphBuilder.seeded(0)
    b.linear("y", b.input("x", 20_000, 64), 2)
    samples = np.random.default_rng(0).standard_normal((2, 20_000, 64), dtype=np.float32)
    found = calibrate(b.graph(("x",), ("y",)), {"x": samples}).values["x"]
    assert samples.size // SAMPLE_ELEMENTS == 64
    assert np.bincount(found.sample_columns, minlength=64).min() > 500


def test_columns_select_a_head() -> None:
    found = calibrate(GRAPH, {"emg": WINDOWS}).values["0.q_turned"]
    head = found.columns(16, 32)
    assert np.array_equal(head.column_high, found.column_high[16:32])
    assert set(head.sample_columns.tolist()) == set(range(16))
    assert len(head.sample) < len(found.sample)


def test_twice_the_same() -> None:
    first, again = calibrate(GRAPH, {"emg": WINDOWS}), calibrate(GRAPH, {"emg": WINDOWS})
    for name, found in first.values.items():
        assert np.array_equal(found.sample, again.values[name].sample)


def test_input_of_zeros() -> None:
    with pytest.raises(CalibrationError, match="input %emg: found only zeros in 6 samples"):
        calibrate(GRAPH, {"emg": np.zeros_like(WINDOWS)})


def test_overflow_in_the_float_network() -> None:
    constants = dict(GRAPH.constants)
    constants["0.wide.w"] = constants["0.wide.w"] * np.float32(1e38)
    graph = replace(GRAPH, constants=constants)
    with pytest.raises(CalibrationError, match=r"value %0\.(wide|gelu): found NaN or infinity"):
        calibrate(graph, {"emg": WINDOWS})
