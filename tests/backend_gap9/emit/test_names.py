"""Identifiers, strings, comments and long lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tmc.backend_gap9.emit.names import (
    COLUMNS,
    c_string,
    comment_lines,
    filled,
    identifiers,
    network_name,
    wrapped,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tinymyo", "tinymyo"),
        ("TinyMyo-8x1000", "tinymyo_8x1000"),
        ("8x200", "network_8x200"),
        ("", "network_"),
        ("tmc", "network_tmc"),
        ("tmc_run", "network_tmc_run"),
        ("tmcx", "tmcx"),
        ("übung", "network__bung"),
    ],
)
def test_network_name(name: str, expected: str) -> None:
    assert network_name(name) == expected


def test_identifiers_differ_without_regard_to_case() -> None:
    assert identifiers(["a.b", "a_b", "A-b", "c", "3d"]) == ("a_b", "a_b_2", "A_b_3", "c", "_3d")
    assert identifiers(["a", "a_2", "a"], "L2_") == ("L2_a", "L2_a_2", "L2_a_3")


def test_strings_say_the_same_to_a_compiler(tmp_path: Path) -> None:
    texts = ["plain", 'a"b\\c', "what??/", "ä\n\t1", "%d"]
    prints = "".join(f"fwrite({c_string(t)}, 1, sizeof {c_string(t)}, stdout);" for t in texts)
    source = tmp_path / "strings.c"
    source.write_text(f"#include <stdio.h>\nint main(void) {{ {prints} return 0; }}\n")
    command = [
        "gcc",
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-trigraphs",
        "-o",
        tmp_path / "strings",
        source,
    ]
    subprocess.run(command, check=True)
    assert subprocess.run([tmp_path / "strings"], capture_output=True).stdout == b"".join(
        text.encode() + b"\0" for text in texts
    )


def test_comments_cannot_end_early() -> None:
    (line,) = comment_lines("/a*/b/*c\n*/")
    assert line == " * /a* /b/ *c * /"


def test_wrapped_breaks_between_outermost_arguments() -> None:
    call = f"f(a, g({'x' * 40}, {'y' * 40}), {'z' * 30}, last);"
    lines = wrapped(call, 8)
    assert lines == [
        f"        f(a, g({'x' * 40}, {'y' * 40}),",
        f"          {'z' * 30}, last);",
    ]


def test_wrapped_cuts_a_very_long_argument() -> None:
    text = "f(" + " + ".join(f"term_{i}" for i in range(30)) + ", b);"
    lines = wrapped(text, 4)
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(line.strip() for line in lines) == text


def test_filled_keeps_entries_whole() -> None:
    entries = [f".field_{i} = a + {i}," for i in range(20)]
    lines = filled(entries, 12)
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(line.strip() for line in lines) == " ".join(entries)
    assert all(line.endswith(",") for line in lines)
