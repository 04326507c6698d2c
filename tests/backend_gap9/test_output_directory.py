"""Directories are written as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmc.backend_gap9.output_directory import is_output, write_directory
from tmc.ir.errors import TmcError

FILES = {"report.json": b'{"compiler": "tmc 0", "network": "n", "l3_bytes": 4}', "golden/input.bin": b"1"}


def content(path: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_new_directory_and_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    write_directory(FILES, path)
    assert content(path) == FILES
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["b"]
    assert is_output(path) and not is_output(tmp_path)


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    write_directory(FILES, tmp_path)
    assert content(tmp_path) == FILES


def test_an_earlier_output_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory({**FILES, "kernels/old.c": b""}, path)
    (path / "network-host").write_bytes(b"built")
    write_directory(FILES, path)
    assert content(path) == FILES
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("report", [b"[]", b"{}", b"no json", None])
def test_other_files_are_left_alone(tmp_path: Path, report: bytes | None) -> None:
    name = "thesis.tex" if report is None else "report.json"
    (tmp_path / name).write_bytes(report or b"mine")
    with pytest.raises(TmcError, match="found files that are no earlier output") as caught:
        write_directory(FILES, tmp_path)
    assert content(tmp_path) == {name: report or b"mine"}
    assert caught.value.notes == ("name another directory, or empty this one",)


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(TmcError, match="found files that are no earlier output"):
        write_directory(FILES, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TmcError, match="cannot be written: Not a directory"):
        write_directory(FILES, tmp_path / "file" / "out")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory(FILES, path)
    with pytest.raises(TmcError, match="cannot be written: File name too long"):
        write_directory({**FILES, "x" * 5000: b""}, path)
    assert content(path) == FILES
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_a_killed_run_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".out.new" / "half").mkdir(parents=True)
    write_directory(FILES, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
