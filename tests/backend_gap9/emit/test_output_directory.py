"""Directories are written as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tmc.backend_gap9.emit.keep_files import KeptFiles
from tmc.backend_gap9.emit.manifest import MANIFEST
from tmc.backend_gap9.emit.output_directory import check_output, is_output, write_directory
from tmc.ir.errors import TmcError

FILES = {"report.json": b'{"compiler": "tmc 0", "network": "n", "l3_bytes": 4}', "golden/input.bin": b"1"}


def content(path: Path) -> dict[str, bytes]:
    """Return the files below a folder, but for the manifest."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file != path / MANIFEST
    }


def names(path: Path) -> list[str]:
    """Return what lies in a folder, sorted."""
    return sorted(each.name for each in path.iterdir())


def test_new_directory_and_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    write_directory(FILES, path)
    assert content(path) == FILES
    assert names(tmp_path / "a") == ["b"]
    assert is_output(path) and not is_output(tmp_path)


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    write_directory(FILES, tmp_path)
    assert content(tmp_path) == FILES


def test_of_an_earlier_output_what_tmc_wrote_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory({**FILES, "kernels/old.c": b"", "gone/deep/file": b"1"}, path)
    assert write_directory({**FILES, "golden/input.bin": b"2"}, path) == KeptFiles()
    assert content(path) == {**FILES, "golden/input.bin": b"2"}
    assert names(tmp_path) == ["out"]
    assert names(path) == ["golden", MANIFEST, "report.json"]


def test_files_of_others_stay(tmp_path: Path) -> None:
    path, far = tmp_path / "out", tmp_path / "far"
    write_directory({**FILES, "kernels/old.c": b""}, path)
    far.write_bytes(b"far")
    mine = {"main.c": b"mine", "kernels/my.c": b"mine too", "app/deep/x.h": b"", "golden/notes.txt": b"n"}
    for name, data in mine.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    (path / "app" / "empty").mkdir()
    (path / "link").symlink_to(far)
    (path / "nowhere").symlink_to("missing")
    (path / "folder").symlink_to(tmp_path)
    (path / "main.c").chmod(0o400)
    (path / "app").chmod(0o750)
    for _ in range(2):
        kept = write_directory(FILES, path)
        assert kept.in_place == (
            "app/deep/x.h",
            "app/empty",
            "folder",
            "golden/notes.txt",
            "kernels/my.c",
            "link",
            "main.c",
            "nowhere",
        )
        assert kept.renamed == {} and kept.before is None
        assert {name: (path / name).read_bytes() for name in (*FILES, *mine)} == {**FILES, **mine}
        assert (path / "folder").readlink() == tmp_path and (path / "nowhere").readlink() == Path("missing")
        assert (path / "app" / "empty").is_dir() and not (path / "kernels" / "old.c").exists()
        assert (path / "main.c").stat().st_mode & 0o777 == 0o400
        assert (path / "app").stat().st_mode & 0o777 == 0o750
    assert far.read_bytes() == b"far" and names(tmp_path) == ["far", "out"]


def test_what_was_changed_is_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory({**FILES, "kernels/k.c": b"old", "network.c": b"1"}, path)
    (path / "kernels" / "k.c").write_bytes(b"faster")
    (path / "network.c").write_bytes(b"2")
    new = {**FILES, "kernels/k.c": b"new", "network.c": b"2"}
    kept = write_directory(new, path)
    assert kept == KeptFiles((), {"kernels/k.c": "kernels/k.c.yours"})
    assert content(path) == {**new, "kernels/k.c.yours": b"faster"}
    (path / "kernels" / "k.c").write_bytes(b"fastest")
    kept = write_directory(new, path)
    assert kept == KeptFiles(("kernels/k.c.yours",), {"kernels/k.c": "kernels/k.c.yours-2"})
    assert content(path) == {**new, "kernels/k.c.yours": b"faster", "kernels/k.c.yours-2": b"fastest"}


def test_a_changed_file_that_is_written_no_more_is_kept(tmp_path: Path) -> None:
    write_directory({**FILES, "kernels/k.c": b"old"}, tmp_path / "out")
    (tmp_path / "out" / "kernels" / "k.c").write_bytes(b"mine")
    assert write_directory(FILES, tmp_path / "out").renamed == {"kernels/k.c": "kernels/k.c.yours"}
    assert content(tmp_path / "out") == {**FILES, "kernels/k.c.yours": b"mine"}


def test_what_stands_in_the_way_is_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory(FILES, path)
    (path / "kernels").write_bytes(b"a file")
    (path / "network.c" / "sub").mkdir(parents=True)
    (path / "network.c" / "sub" / "x").write_bytes(b"x")
    (path / "network.c" / "y").write_bytes(b"y")
    (path / "golden" / "input.bin").unlink()
    (path / "golden").rmdir()
    (path / "golden").symlink_to(tmp_path)
    kept = write_directory({**FILES, "kernels/k.c": b"k", "network.c": b"n"}, path)
    assert kept.in_place == () and kept.renamed == {
        "golden": "golden.yours",
        "kernels": "kernels.yours",
        "network.c/sub/x": "network.c.yours/sub/x",
        "network.c/y": "network.c.yours/y",
    }
    assert (path / "golden" / "input.bin").read_bytes() == b"1" and (path / "golden.yours").is_symlink()
    assert (path / "network.c.yours" / "sub" / "x").read_bytes() == b"x"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("manifest", [None, b"", b"[1]", b"{}", b'{"written_by": "tmc", "sha256": 3}'])
def test_an_output_without_a_manifest_is_kept_whole(tmp_path: Path, manifest: bytes | None) -> None:
    path = tmp_path / "out"
    for turn in ("out.before", "out.before-2"):
        write_directory({**FILES, "kernels/k.c": b"old"}, path)
        (path / "mine.c").write_bytes(b"mine")
        (path / MANIFEST).unlink()
        if manifest is not None:
            (path / MANIFEST).write_bytes(manifest)
        assert write_directory(FILES, path) == KeptFiles(before=tmp_path / turn)
        assert content(path) == FILES
        assert content(tmp_path / turn) == {**FILES, "kernels/k.c": b"old", "mine.c": b"mine"}


def test_files_are_copied_where_they_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    path = tmp_path / "out"
    write_directory(FILES, path)
    (path / "mine.c").write_bytes(b"mine")
    (path / "link").symlink_to("mine.c")
    monkeypatch.setattr(os, "link", fails)
    assert write_directory(FILES, path).in_place == ("link", "mine.c")
    assert (path / "link").is_symlink() and (path / "link").read_bytes() == b"mine"


def test_a_directory_behind_a_link_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    write_directory(FILES, tmp_path / "out")
    write_directory(FILES, tmp_path / "out")
    assert (tmp_path / "out").is_symlink() and content(tmp_path / "disk") == FILES


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    with pytest.raises(TmcError, match="cannot be written"):
        check_output(tmp_path / "out")


STOPS = [
    (name, count, manifest)
    for name in ("mkdir", "write_bytes", "rename", "link")
    for count in range(2)
    for manifest in (True, False)
    if name != "link" or (count == 0 and manifest)  # one file is linked, where there is a manifest
]


@pytest.mark.parametrize(("name", "count", "manifest"), STOPS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_wherever_it_stops_the_directory_is_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    count: int,
    kind: type[BaseException],
    manifest: bool,
) -> None:
    path = tmp_path / "out"
    write_directory({**FILES, "kernels/k.c": b"old"}, path)
    (path / "mine.c").write_bytes(b"mine")
    if not manifest:
        (path / MANIFEST).unlink()
    owner, before = (os, content(path)) if name == "link" else (Path, content(path))
    original, calls = getattr(owner, name), iter(range(99))

    def stops(*arguments: Any, **named: Any) -> Any:
        if next(calls) == count:
            raise kind(errno.ENOSPC, "No space left on device")
        return original(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, stops)
        if name == "link":
            patched.setattr(shutil, "copy2", stops)
            calls = iter([0, 0])
        expected = TmcError if kind is OSError else kind
        with pytest.raises(expected, match="No space left on device"):
            write_directory(FILES, path)
    assert content(path) == before and names(tmp_path) == ["out"]
    write_directory(FILES, path)


@pytest.mark.parametrize(
    "moment", ["while files are written", "between the two renames", "before the old one goes"]
)
def test_a_killed_run_leaves_the_directory_whole(tmp_path: Path, moment: str) -> None:
    path, fresh, old = tmp_path / "out", tmp_path / ".out.tmc-new", tmp_path / ".out.tmc-old"
    write_directory(FILES, path)
    (path / "mine.c").write_bytes(b"mine")
    fresh.mkdir()
    (fresh / "half").write_bytes(b"")
    if moment == "between the two renames":
        path.rename(old)
    elif moment == "before the old one goes":
        shutil.copytree(path, old)
    assert write_directory(FILES, path).in_place == ("mine.c",)
    assert content(path) == {**FILES, "mine.c": b"mine"} and names(tmp_path) == ["out"]


def test_read_only_folders_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory({**FILES, "kernels/k.c": b"old"}, path)
    (path / "app").mkdir()
    (path / "app" / "mine.c").write_bytes(b"mine")
    for folder in ("app", "golden", "kernels"):
        (path / folder).chmod(0o500)
    assert write_directory(FILES, path).in_place == ("app/mine.c",)
    assert content(path) == {**FILES, "app/mine.c": b"mine"} and names(tmp_path) == ["out"]
    assert (path / "app").stat().st_mode & 0o777 == 0o500


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
    with pytest.raises(TmcError, match="cannot be written: File exists"):
        write_directory(FILES, tmp_path / "file" / "out")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_directory(FILES, path)
    with pytest.raises(TmcError, match="cannot be written: File name too long"):
        write_directory({**FILES, "x" * 5000: b""}, path)
    assert content(path) == FILES
    assert names(tmp_path) == ["out"]
