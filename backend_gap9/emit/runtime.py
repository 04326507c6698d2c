"""The C sources of the run time that an output directory holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

from tmc.backend_gap9.kernels.table import KERNELS
from tmc.backend_gap9.target.target import Stacks

_INCLUDE = re.compile(rb'^#include "(.+)"', re.MULTILINE)


def network_mk(network: str, stacks: Stacks) -> bytes:
    """Return network.mk: what makefiles, and through them the platforms, have to know about a network."""
    return f"""\
# Beginning of the network's symbols.
TMC_NAME := {network}
# Bytes of the stacks of the target: of each core that runs the network, and of the one that starts them.
TMC_WORKER_STACK_BYTES := {stacks.worker_bytes}
TMC_CONTROLLER_STACK_BYTES := {stacks.controller_bytes}
""".encode()


def runtime_files(network: bytes, kernels: Iterable[str]) -> dict[str, bytes]:
    """Return what network.c needs: kernels, platforms, makefiles, the check of stacks, and all headers."""
    source = files("tmc.runtime_c")
    names = [f"{kernel}_{isa}.c" for kernel in kernels for isa in KERNELS[kernel].isas]
    copied = {f"kernels/{name}": (source / "kernels" / name).read_bytes() for name in names}
    for folder in ("host", "gap9"):
        for entry in sorted((source / folder).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith((".c", ".h")):
                copied[f"{folder}/{entry.name}"] = entry.read_bytes()
    copied |= _headers([network, *copied.values()])
    copied["Makefile"] = (source / "gap9" / "gap9.mk").read_bytes()
    for entry in sorted((source / "stacks").iterdir(), key=lambda entry: entry.name):
        copied[entry.name] = entry.read_bytes()
    for name in ("CMakeLists.txt", "sdk.config"):
        copied[name] = (source / "gap9" / name).read_bytes()
    copied["host.mk"] = (source / "host" / "host.mk").read_bytes()
    return copied


def _headers(texts: list[bytes]) -> dict[str, bytes]:
    """Return the files of include/ that C sources include, directly or not."""
    folder = files("tmc.runtime_c") / "include"
    found: dict[str, bytes] = {}
    while texts:
        for name in _INCLUDE.findall(texts.pop()):
            header = folder / name.decode()
            path = f"include/{header.name}"
            if path not in found and header.is_file():
                found[path] = header.read_bytes()
                texts.append(found[path])
    return found
