from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.networks.small_transformer import GraphBuilder
from tmc.ir.errors import CalibrationError
from tmc.ir.graph import Graph
from tmc.passes.calibrate.calibration_file import noise_calibration, read_calibration


def two_inputs() -> Graph:
    b = GraphBuilder.seeded(0)
    b.input("emg", 1, 4, 40)
    b.input("imu", 6, 5)
    return b.graph(("emg", "imu"), ())


def good() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {"emg": generator.standard_normal((3, 1, 4, 40)), "imu": generator.standard_normal((3, 6, 5))}


def test_arrays_come_back_as_float32_in_the_shape_of_the_input(tmp_path: Path) -> None:
    arrays = good()
    np.savez(tmp_path / "c.npz", **arrays)
    samples = read_calibration(tmp_path / "c.npz", two_inputs())
    assert list(samples) == ["emg", "imu"]
    for name, array in samples.items():
        assert array.dtype == np.float32
        assert np.array_equal(array, arrays[name].astype(np.float32))


def test_the_batch_axis_may_be_missing(tmp_path: Path) -> None:
    arrays = good()
    np.savez(tmp_path / "c.npz", emg=arrays["emg"][:, 0], imu=arrays["imu"])
    samples = read_calibration(tmp_path / "c.npz", two_inputs())
    assert np.array_equal(samples["emg"], arrays["emg"].astype(np.float32))


def test_integers_are_numbers_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", emg=np.ones((2, 1, 4, 40), np.int16), imu=np.ones((2, 6, 5), np.uint8))
    assert read_calibration(tmp_path / "c.npz", two_inputs())["emg"].dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_unreadable_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(CalibrationError, match="found no readable npz file"):
        read_calibration(tmp_path / "c.npz", two_inputs())


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="found no readable npz file"):
        read_calibration(tmp_path / "none.npz", two_inputs())


def test_truncated_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", **good())
    whole = (tmp_path / "c.npz").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(CalibrationError):
            read_calibration(tmp_path / "cut.npz", two_inputs())


def test_damaged_member(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "c.npz", **good())
    data = bytearray((tmp_path / "c.npz").read_bytes())
    data[500:600] = bytes(100)
    (tmp_path / "c.npz").write_bytes(bytes(data))
    with pytest.raises(CalibrationError, match="found no readable npz file"):
        read_calibration(tmp_path / "c.npz", two_inputs())


def test_a_plain_array_is_not_an_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", good()["emg"])
    with pytest.raises(CalibrationError, match="found no readable npz file"):
        read_calibration(tmp_path / "c.npy", two_inputs())


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", emg=np.array([{}], dtype=object), imu=good()["imu"])
    with pytest.raises(CalibrationError, match="found no readable npz file"):
        read_calibration(tmp_path / "c.npz", two_inputs())


@pytest.mark.parametrize("names", [("emg",), ("emg", "imu", "more"), ("emg", "gyro"), ()])
def test_wrong_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    np.savez(tmp_path / "c.npz", **{name: good()["emg"] for name in names})
    with pytest.raises(CalibrationError, match=r"allowed emg, imu"):
        read_calibration(tmp_path / "c.npz", two_inputs())


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (3, 4, 41), (4, 40), (3, 1, 1, 4, 40), (0, 4, 40)])
def test_wrong_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "c.npz", emg=np.zeros(shape), imu=good()["imu"])
    with pytest.raises(CalibrationError, match=r"allowed \(samples, 1, 4, 40\) or \(samples, 4, 40\)"):
        read_calibration(tmp_path / "c.npz", two_inputs())


def test_wrong_element_type(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", emg=np.zeros((3, 1, 4, 40), np.complex64), imu=good()["imu"])
    with pytest.raises(CalibrationError, match="complex64"):
        read_calibration(tmp_path / "c.npz", two_inputs())


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_must_be_finite_in_float32(tmp_path: Path, value: float) -> None:
    arrays = good()
    arrays["emg"][1, 0, 2, 3] = value
    np.savez(tmp_path / "c.npz", **arrays)
    with pytest.raises(CalibrationError, match="NaN or infinity"):
        read_calibration(tmp_path / "c.npz", two_inputs())


def test_counts_must_agree(tmp_path: Path) -> None:
    arrays = good()
    np.savez(tmp_path / "c.npz", emg=arrays["emg"], imu=arrays["imu"][:2])
    with pytest.raises(CalibrationError, match="found 2, 3 samples"):
        read_calibration(tmp_path / "c.npz", two_inputs())


def test_noise_is_seeded() -> None:
    first, again = noise_calibration(two_inputs(), 5, 7), noise_calibration(two_inputs(), 5, 7)
    other = noise_calibration(two_inputs(), 5, 8)
    assert first["emg"].shape == (5, 1, 4, 40)
    assert first["imu"].dtype == np.float32
    assert np.array_equal(first["emg"], again["emg"])
    assert not np.array_equal(first["emg"], other["emg"])
    assert 0.8 < first["emg"].std() < 1.2


def test_truth_values(tmp_path: Path) -> None:
    arrays = good()
    arrays["imu"] = arrays["imu"] > 0
    np.savez(tmp_path / "c.npz", **arrays)
    found = read_calibration(tmp_path / "c.npz", two_inputs(), {"imu"})["imu"]
    assert found.dtype == np.float32 and set(np.unique(found)) == {0, 1}
    np.savez(tmp_path / "c.npz", **good())
    with pytest.raises(CalibrationError, match="array imu: found other numbers than 0 and 1, allowed truth"):
        read_calibration(tmp_path / "c.npz", two_inputs(), {"imu"})
    noise = noise_calibration(two_inputs(), 5, 7, {"imu"})["imu"]
    assert noise.dtype == np.float32 and 0.2 < noise.mean() < 0.8 and set(np.unique(noise)) == {0, 1}
