"""House rules that a machine can see."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.repository import FOLDERS, PRODUCT, ROOT, SUBPACKAGES, all_files, files_under, module_name

MAX_LINES = 400
COUNTED = {".py", ".c", ".h", ".cpp", ".hpp", ".j2"}
BANNED_STEMS = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc"}
# A path of somebody's machine: a home, a mount or a scratch folder at the start of a path.
MACHINE_PATH = re.compile(rb"(?<![\w.~$)}-])/(?:home|Users|root|work|mnt|media)/[\w.-]")
UNFINISHED = re.compile(rb"\b(?:TO" rb"DO|FIX" rb"ME|XX" rb"X|HA" rb"CK|raise NotImplemented" rb"Error)\b")

# tmc_<op>[_<variant>]_<types>_<isa>
KERNEL_NAME = re.compile(
    r"tmc_(?P<op>[a-z][a-z0-9]*)(?:_(?P<variant>(?!(?:[su](?:4|8|16|32))+_)[a-z0-9]+))*"
    r"_(?P<types>(?:[su](?:4|8|16|32))+)_(?P<isa>scalar|xpulp|ne16)"
)
# A function definition at the start of a line that is visible to the linker.
EXTERNAL_FUNCTION = re.compile(
    r"^(?!static\b|typedef\b)[A-Za-z_][\w \t*]*?\b(\w+)\s*\([^;{}()]*\)\s*\{", re.MULTILINE
)

SOURCES = tuple(path for path in files_under(*FOLDERS) if path.suffix in COUNTED)
KERNELS = tuple(path for path in SOURCES if path.match("runtime_c/kernels/*.c"))


def first_matches(pattern: re.Pattern[bytes], paths: Iterable[Path]) -> dict[str, bytes]:
    """Return the first match of a pattern in each file that has one."""
    hits = {str(path): pattern.search((ROOT / path).read_bytes()) for path in paths}
    return {path: hit[0] for path, hit in hits.items() if hit}


def test_files_are_short() -> None:
    assert SOURCES
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_file_names_say_what_is_inside() -> None:
    assert [str(path) for path in all_files() if BANNED_STEMS & set(path.stem.lower().split("_"))] == []


def test_folders_hold_several_files_and_are_two_deep() -> None:
    folders = {path.parent for path in files_under(*PRODUCT) if path.parts[0] != "runtime_c"}
    names = {f: [p.name for p in files_under(f.as_posix()) if p.name != "__init__.py"] for f in folders}
    assert [str(f) for f in folders if len(f.parts) > 3] == []
    assert [str(f) for f in folders if len(names[f]) < 2] == []


def test_no_machine_paths() -> None:
    assert first_matches(MACHINE_PATH, all_files()) == {}


def test_nothing_is_left_unfinished() -> None:
    assert first_matches(UNFINISHED, SOURCES) == {}


def test_packages_are_listed() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = [path for path in files_under(*PRODUCT) if path.name == "__init__.py"]
    folders = {module_name(path): path.parent.as_posix() for path in packages}
    assert sorted(setuptools["packages"]) == sorted(folders)
    assert setuptools["package-dir"] == folders


def test_links_lead_to_the_subpackages() -> None:
    links = {path.name: path.readlink().as_posix() for path in (ROOT / "tmc").iterdir() if path.is_symlink()}
    assert links == {name: f"../{name}" for name in SUBPACKAGES}


def test_kernel_names_follow_the_grammar() -> None:
    assert [str(path) for path in KERNELS if not KERNEL_NAME.fullmatch(path.stem)] == []


def test_kernel_files_define_the_function_they_are_named_after() -> None:
    defined = {path.stem: EXTERNAL_FUNCTION.findall((ROOT / path).read_text()) for path in KERNELS}
    assert {stem: names for stem, names in defined.items() if names != [stem]} == {}


def test_kernels_are_declared_in_a_header() -> None:
    headers = "".join((ROOT / path).read_text() for path in files_under("runtime_c") if path.suffix == ".h")
    assert [path.stem for path in KERNELS if not re.search(rf"\b{path.stem}\s*\(", headers)] == []


def test_every_fast_kernel_has_a_scalar_oracle() -> None:
    stems = {path.stem for path in KERNELS}
    assert {stem for stem in stems if stem.rpartition("_")[0] + "_scalar" not in stems} == set()


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("tmc_linear_s8_scalar", True),
        ("tmc_linear_4x3_s8s8s8_xpulp", True),
        ("tmc_layernorm_s16s8_scalar", True),
        ("tmc_linear_scalar", False),
        ("tmc_linear_s8", False),
        ("tmc_linear_f32_scalar", False),
        ("linear_s8_scalar", False),
        ("tmc_linear_s8_gap9", False),
        ("tmc_Linear_s8_scalar", False),
        ("tmc_linear_s8_4x3_xpulp", False),
    ],
)
def test_kernel_grammar(name: str, legal: bool) -> None:
    assert (KERNEL_NAME.fullmatch(name) is not None) is legal


def test_external_functions_are_found() -> None:
    source = "static int a(int x) {\n    if (x) {\n    }\n}\nint d(void);\nvoid b(\n    const t *p)\n{\n}\n"
    assert EXTERNAL_FUNCTION.findall(source) == ["b"]


def _orphans(source: str) -> list[str]:
    """Return the lines of docstrings that end long before the first word of the next would not fit."""
    lines, found = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not ast.get_docstring(node):
            continue
        text = node.body[0]
        for line, following in itertools.pairwise(lines[text.lineno - 1 : text.end_lineno]):
            word = line.strip().removeprefix('"""')
            # What is deeper than its docstring is a piece of a file or a command.
            deeper = len(line) - len(line.lstrip()) > text.col_offset
            continues = (
                not deeper and following.strip() and word[-1:] not in ("", ".", ":") and " " not in word
            )
            if continues and len(line) - len(line.lstrip()) == len(following) - len(following.lstrip()):
                found.append(line.strip())
    return found


def test_docstrings_have_no_line_of_one_word_in_a_sentence() -> None:
    """As a mechanical wrap leaves them."""
    assert _orphans('def f():\n    """Return all\n    of\n    it."""') == ["of"]
    assert _orphans('"""Return all.\n\nRaises:\n"""') == []
    assert _orphans('"""Read this:\n\n    [l1]\n    size = 3\n"""') == []
    python = [path for path in files_under(*PRODUCT) if path.suffix == ".py"]
    assert {str(path): found for path in python if (found := _orphans((ROOT / path).read_text()))} == {}
