"""The output directory: everything a firmware project needs to build, run and check a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from tmc.backend_gap9.emit.captions import Captions
from tmc.backend_gap9.emit.golden import golden_files
from tmc.backend_gap9.emit.interface import interface_text
from tmc.backend_gap9.emit.machine import HEADER, machine_header, machine_of
from tmc.backend_gap9.emit.names import names_of
from tmc.backend_gap9.emit.network import network_text
from tmc.backend_gap9.emit.runtime import network_mk, runtime_files
from tmc.backend_gap9.emit.stack_need import stack_need, stack_text
from tmc.backend_gap9.program.program import Program, calls
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph
from tmc.ir.ports import ports_of
from tmc.ir.types import Array


def emit(
    graph: Graph,
    program: Program,
    contents: Mapping[str, bytes],
    captions: Captions,
    target: Target,
    golden_inputs: Mapping[str, Array],
) -> dict[str, bytes]:
    """Return the files of the output directory, all but the report, by relative path. Equal arguments give
    equal bytes.

    The program must have passed `check_program`. contents are the bytes of its constant blocks by name,
    golden_inputs is one array of codes per graph input.
    The target goes into a header, its stacks are what the makefiles hold the C to.
    Raises: PlanError for a graph with float inputs or outputs.
    """
    names, ports = names_of(program, graph), ports_of(graph)
    image = weights_image(program, contents)
    interface = interface_text(ports, captions, names, image)
    network = network_text(graph, program, captions, names, image)
    kernels = sorted({call.kernel for stage in program.stages for call in calls(stage.body)})
    stack = stack_text(stack_need(program), target.stacks)
    context = {"n": network, "i": interface, "made_by": captions.made_by, "stack_text": stack}
    context |= {"cores": target.cores}
    network_c = _render("network.c.j2", context)
    content = {
        "network.c": network_c,
        "network.h": _render("network.h.j2", context),
        "network.mk": network_mk(names.network, target.stacks),
        "weights.bin": image,
        "README.txt": _render("README.txt.j2", context),
        **golden_files(graph, ports, golden_inputs),
        HEADER: machine_header(machine_of(target)),
        **runtime_files(network_c, kernels),
    }
    return dict(sorted(content.items()))


def weights_image(program: Program, contents: Mapping[str, bytes]) -> bytes:
    """Return the content of weights.bin: every constant block at its offset in L3."""
    image = bytearray(program.l3_bytes)
    for buffer in program.buffers:
        if buffer.memory == "l3":
            data = contents[buffer.name]
            assert len(data) == buffer.size_bytes, buffer.name
            image[buffer.offset_bytes : buffer.offset_bytes + len(data)] = data
    return bytes(image)


def _template(name: str) -> str:
    return (files("tmc.backend_gap9.emit") / "templates" / name).read_text(encoding="utf-8")


_ENVIRONMENT = Environment(
    loader=FunctionLoader(_template),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
)


def _render(template: str, context: Mapping[str, object]) -> bytes:
    return _ENVIRONMENT.get_template(template).render(context).encode()
