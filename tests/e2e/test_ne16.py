"""An encoder with linears on the accelerator: proved, and every op as interpreted wherever it runs."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.encoders import Encoder, write_encoder
from tests.networks.onnx_files import node, write
from tests.tmc.command import call, succeeded
from tmc.backend_gap9.run.result import RunResult
from tmc.backend_gap9.target.targets import target_named
from tmc.cli.run import PLATFORMS
from tmc.driver import Options, compile_model
from tmc.ir.types import DType
from tmc.report.accelerator import AcceleratorUse

# Rows that are no multiple of 9 nor of 3, channels no multiple of 32, inputs no multiple of 16.
SHAPES = (
    Encoder(tokens=53, dim=64, heads=2, patch=10),
    Encoder(tokens=29, dim=72, heads=2, patch=5, activation="relu"),
    Encoder(tokens=10, dim=20, heads=1, layers=1, patch=20),
)


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape.tokens}x{shape.dim}")
def outputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Compile an encoder for the cluster with the accelerator and without it."""
    folder = tmp_path_factory.mktemp("encoder")
    model = write_encoder(folder, request.param)
    for target in ("gap9", "gap9-ne16"):
        succeeded("compile", model, "--target", target, "-o", folder / target)
    return {target: folder / target for target in ("gap9", "gap9-ne16")}


def test_results_are_the_same_bytes(outputs: dict[str, Path]) -> None:
    golden = [(folder / "golden" / "output.bin").read_bytes() for folder in outputs.values()]
    assert golden[0] == golden[1]
    text, without = ((outputs[target] / "network.c").read_text() for target in ("gap9-ne16", "gap9"))
    # Each kernel of the cores is a job, and what the cores finish of it.
    jobs = {
        "linear_s8s8s8": ("linear_u8s8s8",),
        "linear_table_s8s8s8": ("linear_u8s8s8", "epilogue_table_s8s8"),
        "linear_transposed_s8s8s8": ("linear_u8s8s8", "epilogue_transposed_s8s8"),
        "linear_add_s8s8s16": ("linear_u8s8s32", "epilogue_add_s32s16"),
    }
    used = [kernel for kernel in jobs if f"tmc_{kernel}(&args)" in without]
    assert len(used) >= 3 and not any(f"tmc_{kernel}(&args)" in text for kernel in jobs)
    for kernel in used:
        job, *epilogue = jobs[kernel]
        assert f", tmc_{job}, &args)" in text
        assert all(f"tmc_{each}(&args)" in text for each in epilogue)
    assert "ne16" not in without
    headers = [(folder / "include" / "tmc_target.h").read_text() for folder in outputs.values()]
    assert ["#define TMC_NE16 0u" in headers[0], "#define TMC_NE16 1u" in headers[1]] == [True, True]


def test_products_of_attention_are_jobs_where_that_is_faster(outputs: dict[str, Path]) -> None:
    """Of 53 tokens; of fewer the cores have them."""
    text = (outputs["gap9-ne16"] / "network.c").read_text()
    sizes = {
        line.split("= qattention")[0].split()[-1] for line in text.splitlines() if "= qattention" in line
    }
    many = sizes == {"53x64"}
    assert ("tmc_attention_pack_s8u8(&args)" in text) == many
    assert ("tmc_attention_values_u8s8s8(&args)" in text) == (not many)


@pytest.mark.parametrize("platform", ["host", "iss"])
def test_every_op_is_bit_exact(outputs: dict[str, Path], platform: str) -> None:
    ran = succeeded("run", outputs["gap9-ne16"], "--on", platform)
    assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)
    assert any(layer["name"].endswith(".unsigned") for layer in ran["layers"])


def test_the_report_says_how_much_the_accelerator_computes(outputs: dict[str, Path]) -> None:
    facts, without = (succeeded("report", outputs[target]) for target in ("gap9-ne16", "gap9"))
    use = facts["accelerator"]
    assert (use["name"], use["most_macs_per_cycle"]) == ("ne16", 73.14)
    assert use["job_cycles"] == sum(stage["job_cycles"] for stage in facts["stages"]) > 0
    assert use["job_cycles"] < facts["cycles_estimate"]
    said = AcceleratorUse(**use).text(facts["macs"], facts["cycles_estimate"])
    page = (outputs["gap9-ne16"] / "report.html").read_text()
    assert said in call("report", outputs["gap9-ne16"]).out and said in page
    assert "<th>jobs of NE16</th>" in page
    most = max(facts["stages"], key=lambda stage: int(stage["job_cycles"]))
    assert f"{most['job_cycles']:,} cycles of jobs." in (outputs["gap9-ne16"] / "network.c").read_text()
    # Nothing of that without one.
    assert "accelerator" not in without and not any("job_cycles" in stage for stage in without["stages"])
    assert "NE16" not in call("report", outputs["gap9"]).out + (outputs["gap9"] / "report.html").read_text()


def test_a_run_shows_what_runs_beside_each_other(
    outputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on GVSoC, if it took twice what the report says."""

    def counted(options: Namespace, codes: object) -> RunResult:
        facts = json.loads((options.directory / "report.json").read_text())
        stages = tuple(2 * stage["cycles"] for stage in facts["stages"])
        return RunResult("gvsoc", {"output": np.zeros((1, 1))}, (), (), sum(stages), 1.0, stages)

    monkeypatch.setitem(PLATFORMS, "gvsoc", counted)
    facts = succeeded("report", outputs["gap9-ne16"])
    columns = ("job_cycles", "compute_cycles", "exposed_cycles")
    ran = succeeded("run", outputs["gap9-ne16"], "--on", "gvsoc")
    assert [{name: stage[name] for name in columns} for stage in ran["stages"]] == [
        {name: stage[name] for name in columns} for stage in facts["stages"]
    ]
    text = call("run", outputs["gap9-ne16"], "--on", "gvsoc").out
    assert text.split("\n")[0].split()[4:9] == ["NE16", "busy", "cores", "exposed", "MAC/cycle"]
    for stage, line in zip(facts["stages"], text.split("\n")[1:], strict=False):
        busy = f"{stage['job_cycles'] / (2 * stage['cycles']):.0%}"
        cells = [
            f"{stage['job_cycles']:,}",
            busy,
            f"{stage['compute_cycles']:,}",
            f"{stage['exposed_cycles']:,}",
        ]
        assert line.split()[4:8] == cells
    assert AcceleratorUse(**facts["accelerator"]).text(facts["macs"], ran["cycles"]) in text
    plain = call("run", outputs["gap9"], "--on", "gvsoc").out
    assert plain.split("\n")[0].split()[4:6] == ["MAC/cycle", "ops"] and "NE16" not in plain


LITTLE_L1 = """
base = "gap9-ne16"
description = "a third of L1"
[l1]
size_bytes = 45_056
"""


def test_keys_come_tile_by_tile_where_l1_has_no_room_for_them(tmp_path: Path) -> None:
    shape = Encoder(tokens=135, dim=64, heads=1, layers=1, patch=2, positions=False)
    target, compiled = tmp_path / "little.toml", tmp_path / "compiled"
    target.write_text(LITTLE_L1)
    succeeded("compile", write_encoder(tmp_path, shape), "--target", target, "-o", compiled)
    assert "K streamed" in (compiled / "report.json").read_text()
    for platform in ("host", "iss"):
        ran = succeeded("run", compiled, "--on", platform)
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)


def test_a_table_before_another_linear_makes_what_the_accelerator_reads(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    shapes = {"w0": (8, 16), "w1": (16, 36), "w2": (36, 20), "w3": (20, 5)}
    weights = {name: random.standard_normal(shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    nodes = [
        *(node("MatMul", "x w0", "h"), node("Relu", "h", "z")),
        *(node("MatMul", "z w1", "a"), node("Tanh", "a", "t")),
        *(node("MatMul", "t w2", "b"), node("Sigmoid", "b", "s")),
        node("MatMul", "s w3", "y"),
    ]
    constants = {name: array.astype(np.float32) for name, array in weights.items()}
    model = write(tmp_path / "net.onnx", nodes, {"x": (13, 8)}, constants=constants)
    windows = random.standard_normal((32, 13, 8)).astype(np.float32)
    np.savez(model.with_suffix(".calibration.npz"), x=windows)
    golden = set()
    for target in ("gap9", "gap9-ne16"):
        out = tmp_path / target
        found = compile_model(Options(model, target_named(target), out))
        golden.add((out / "golden" / "output.bin").read_bytes())
    assert len(golden) == 1
    made = [op.output for op in found.graph.ops if found.graph.types[op.output].dtype is DType.U8]
    assert made == ["relu_0.unsigned", "tanh_0"]
    for platform in ("host", "iss"):
        ran = succeeded("run", out, "--on", platform)
        assert (ran["bit_exact"], ran["mismatches"]) == (True, 0)


def test_on_gvsoc_it_is_bit_exact_and_as_fast_as_modelled(
    outputs: dict[str, Path], gvsoc_program: Path
) -> None:
    options = ("--on", "gvsoc", "--gvsoc", gvsoc_program)
    answer = call("run", outputs["gap9-ne16"], *options, "--json")
    if "found no component tmc.ne16" in answer.out:
        pytest.skip("this GVSoC has no tmc.ne16: see backend_gap9/target/gvsoc/gvsoc.mk")
    assert answer.status == 0 and answer.json["bit_exact"], answer.out
    without = succeeded("run", outputs["gap9"], *options)
    assert answer.json["cycles"] < without["cycles"]
