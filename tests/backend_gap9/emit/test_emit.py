"""The output directory: complete, the same every time, within its limits."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.golden_files import check_golden
from tests.networks import small_output
from tests.networks.emitted_network import emitted
from tests.networks.integer_networks import integer_network
from tests.networks.simple_plan import Tiles
from tests.repository import ROOT
from tmc.backend_gap9.emit.emit import weights_image
from tmc.backend_gap9.emit.names import COLUMNS
from tmc.backend_gap9.kernels.record import ISAS
from tmc.ir.errors import PlanError
from tmc.ir.graph import Graph
from tmc.ir.interpret import interpret
from tmc.ir.types import DType, Per, Quant, TensorType
from tmc.report.page import report_files

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# The SDK has these.
FOREIGN = ("pmsis.h", "bsp/")
TINYMYO = Tiles(rows=32, channels=64, buffers=2, queries=8, keys=100, values=32)
LAYERS = Tiles(rows=8, channels=16, buffers=2, queries=8, keys=12, values=8)


def layers() -> Graph:
    """Return a network of three small layers, so that a first, a middle and a last one differ."""
    return integer_network(20, 3, 4, 40, 5, seed=3, rope_period=20, dim=24, heads=3, hidden=32)


def hashes(files: dict[str, bytes]) -> str:
    """Return a line for each file: its hash and its name."""
    return "\n".join(f"{hashlib.sha256(content).hexdigest()} {name}" for name, content in files.items())


def test_golden_small_program(pytestconfig: pytest.Config) -> None:
    files = small_output.output()
    names = ("network.c", "network.h", "network.mk", "README.txt", "report.json", "report.html")
    check_golden(pytestconfig, "emit_small", {name: files[name] for name in names})


def test_golden_alike_layers(pytestconfig: pytest.Config) -> None:
    files = emitted(layers(), LAYERS)
    check_golden(pytestconfig, "emit_layers", {"network.c": files["network.c"]})


def test_same_bytes_whatever_the_hash_seed() -> None:
    script = (
        "from tests.backend_gap9.emit.test_emit import LAYERS, hashes, layers;"
        "from tests.networks.emitted_network import emitted;"
        "print(hashes(emitted(layers(), LAYERS)))"
    )
    here = f"{hashes(emitted(layers(), LAYERS))}\n"
    for seed in (1, 2):
        command = ["env", f"PYTHONHASHSEED={seed}", sys.executable, "-c", script]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert result.stdout == here


def test_nothing_of_this_machine() -> None:
    texts = b"".join(content for name, content in small_output.output().items() if name != "weights.bin")
    assert str(ROOT).encode() not in texts
    assert b"/tmp" not in texts


def test_every_include_is_there() -> None:
    files = small_output.output()
    wanted = {
        (name.partition("/")[0] if "/" in name else "", included)
        for name, content in files.items()
        if name.endswith((".c", ".h"))
        for included in INCLUDE.findall(content.decode())
        if not included.startswith(FOREIGN)
    }
    folders = ("", "include/", "host/", "gap9/")
    assert {included for _, included in wanted if not any(f + included in files for f in folders)} == set()
    # Each platform has its own tmc_transfer.h and finds no other's.
    assert {name for name in files if name.endswith("/tmc_transfer.h")} == {
        "host/tmc_transfer.h",
        "gap9/tmc_transfer.h",
    }


def test_only_kernels_and_headers_in_use() -> None:
    files = small_output.output()
    kernels = {name for name in files if name.startswith("kernels/")}
    assert kernels == {
        f"kernels/tmc_{stem}_{isa}.c" for stem in ("layernorm_s16s8", "linear_add_s8s8s16") for isa in ISAS
    }
    headers = {name for name in files if name.startswith("include/")}
    texts = b"".join(content for name, content in files.items() if name.endswith((".c", ".h")))
    assert headers == {name for name in headers if f'#include "{Path(name).name}"'.encode() in texts}
    assert {f"include/tmc_{stem}.h" for stem in ("isa", "kernels", "platform", "xpulp")} <= headers
    assert "include/tmc_xpulp_attention.h" not in headers


def test_tinymyo_is_short_enough_to_read() -> None:
    graph = integer_network(400, 8, 8, 1000, 6, seed=1, rope_period=400)
    lines = emitted(graph, TINYMYO)["network.c"].decode().splitlines()
    assert len(lines) <= 3000
    assert max(map(len, lines)) <= COLUMNS


def test_weights_lie_at_their_offsets() -> None:
    program, contents = small_output.program(), small_output.contents()
    image = weights_image(program, contents)
    assert len(image) == program.l3_bytes
    end = 0
    for buffer in (each for each in program.buffers if each.memory == "l3"):
        content = contents[buffer.name]
        assert image[buffer.offset_bytes :][: buffer.size_bytes] == content
        end = max(end, buffer.offset_bytes + buffer.size_bytes)
    assert not any(image[end:])
    header = small_output.output()["network.h"].decode()
    assert f"_WEIGHTS_CRC32 0x{zlib.crc32(image):08X}u\n" in header


def test_golden_sample() -> None:
    files, graph = small_output.output(), small_output.graph()
    assert files["golden/input.bin"] == small_output.golden_input().astype("<i2").tobytes()
    values: dict[str, np.ndarray] = {}
    interpret(graph, {"x": small_output.golden_input()}, values.__setitem__)
    assert files["golden/output.bin"] == values["y"].astype("<i2").tobytes()
    rows = json.loads(files["golden/values.json"])
    assert [(row["name"], row["crc32"]) for row in rows] == [
        (name, f"{zlib.crc32(array.tobytes()):08x}") for name, array in values.items()
    ]
    assert rows[1] | {"crc32": ""} == {
        "name": "y",
        "node": "/fc/MatMul",
        "dtype": "s16",
        "shape": [10, 16],
        "rows": 10,
        "row_bytes": 32,
        "crc32": "",
    }


@pytest.mark.parametrize(
    ("per", "entry"),
    [
        (
            "channel",
            "one scale per channel: that of element i, from 0, is entry i % 2 of SMALL_OUTPUT_Y_SCALES.",
        ),
        ("head", "one scale per head: that of element i, from 0, is entry i / 80 of SMALL_OUTPUT_Y_SCALES."),
    ],
)
def test_scales_are_listed_with_the_elements_that_have_them(per: Per, entry: str) -> None:
    graph = small_output.graph()
    types = {**graph.types, "y": TensorType(DType.S16, (10, 16), Quant((0.5, 0.25), per=per))}
    odd = replace(graph, types=types)
    files = small_output.emitted(odd, small_output.program(), small_output.report())
    header = files["network.h"].decode()
    assert "#define SMALL_OUTPUT_Y_SCALES {0.5, 0.25}\n" in header
    assert entry in " ".join(header.replace(" *", "").split())


def test_no_scale_no_macro() -> None:
    header = emitted(layers(), LAYERS)["network.h"].decode()
    assert "The model states no scale." in header and "_SCALE" not in header


@pytest.mark.parametrize(("name", "what"), [("x", "input"), ("y", "output")])
def test_integer_ports_only(name: str, what: str) -> None:
    graph = small_output.graph()
    graph = replace(graph, types={**graph.types, name: TensorType(DType.F32, (10, 16))})
    with pytest.raises(PlanError, match=f"{what} %{name}: found f32, allowed s8, u8, s16, u16, s32"):
        small_output.emitted(graph, small_output.program(), small_output.report())


def test_report_facts() -> None:
    facts = json.loads(small_output.output()["report.json"])
    assert facts["macs"] == 10 * 16 * 16
    assert facts["weights_bytes"] == sum(
        r.block.size_bytes for r in small_output.small_program.plan().residency
    )
    assert facts["l1_peak_bytes"] == small_output.small_program.plan().l1_peak_bytes
    assert facts["l2_budget_bytes"] > facts["l2_peak_bytes"] >= facts["l2_bound_bytes"] > 0
    assert [(op["name"], op["stage"], op["kernels"]) for op in facts["ops"]] == [
        ("n", 0, ["tmc_layernorm_s16s8"]),
        ("y", 1, ["tmc_linear_add_s8s8s16"]),
    ]
    assert [stage["ops"] for stage in facts["stages"]] == [["n"], ["y"]]
    assert facts["model"] == "small.onnx" and "seconds" not in facts


def test_report_page_shows_every_buffer_and_op() -> None:
    files = emitted(layers(), LAYERS)
    page, facts = files["report.html"].decode(), json.loads(files["report.json"])
    assert page.count("<rect ") == len(facts["l2_buffers"])
    assert all(f"<title>{buffer['name']}: " in page for buffer in facts["l2_buffers"])
    assert all(f"<td>{op['name']}</td>" in page for op in facts["ops"])


def test_names_from_the_model_are_escaped_in_the_page() -> None:
    report = small_output.report()
    odd = replace(report, network="<b>&")
    page = report_files(odd)["report.html"].decode()
    assert "&lt;b&gt;&amp; on gap9" in page and "<b>" not in page
