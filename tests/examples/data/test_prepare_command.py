"""`python -m examples.tinymyo prepare`."""

from pathlib import Path

import pytest

from examples.tinymyo.__main__ import main
from examples.tinymyo.data.store import load_store
from tests.examples.data import raw_files


def test_prepare_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_files.uci(tmp_path / "raw" / "01" / "1.txt", run=1000)
    arguments = ["prepare", "--dataset", "uci", "--raw", str(tmp_path / "raw"), "-o", str(tmp_path / "store")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"error: {tmp_path}/raw/01/2_raw_data.txt: found 1 of 72 recordings, not this one"
    )
    assert error.endswith("note: fetch what is missing, or give --skip-missing to go without\n")
    assert main([*arguments, "--skip-missing", "--dtype", "float16"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1/1 01_1",
        "recordings: 1, 71 missing",
        "windows: train 3, val 0, test 0",
        "note: the time column says 1000 Hz, filters assume 200; see --rate",
    ]
    assert len(load_store(tmp_path / "store").train) == 3


def test_prepare_counts_windows_in_two_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_files.ninapro(tmp_path / "raw" / "S1_E1_A1.mat", 16, 6)
    arguments = ["prepare", "--dataset", "db5", "--raw", str(tmp_path / "raw"), "-o", str(tmp_path / "store")]
    assert main([*arguments, "--skip-missing", "--window", "200", "--stride", "100"]) == 0
    assert (
        "note: 4 windows reach into another part; --overlap purge leaves them out" in capsys.readouterr().out
    )
