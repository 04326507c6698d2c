"""An ONNX file as onnx reads it: checked, with its external data and its functions inlined."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, inliner

from tmc.frontend.importers import quantised
from tmc.frontend.importers.table import FOREIGN
from tmc.frontend.node import INTEGER_DOMAINS
from tmc.frontend.qoperator import QOPERATORS
from tmc.frontend.structure import check_structure
from tmc.ir.errors import UnsupportedModel

OPSETS = range(7, 29)


def read_model(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file with its external data; functions of the file are inlined.

    Raises: UnsupportedModel if it cannot be read, is truncated or breaks the ONNX specification.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        external_data_helper.load_external_data_for_model(model, str(path.parent))
        _name_domains(model)
        onnx.checker.check_model(model)
        model = inliner.inline_local_functions(model) if model.functions else model
    except (OSError, DecodeError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        raise UnsupportedModel(
            path.name,
            f"found {reason}, allowed a readable ONNX file",
            "the file may be truncated, or its external data missing: export it again",
        ) from error
    check_structure(model)
    return model


def _name_domains(model: onnx.ModelProto) -> None:
    """Move ops that claim to be ONNX's own, of quantisers and of onnxruntime, to another domain.

    No checker would pass them.
    """
    moved = False
    for node in model.graph.node:
        foreign = node.op_type in (FOREIGN | QOPERATORS) or node.op_type in quantised.REFUSED
        if foreign and node.domain == "" and not onnx.defs.has(node.op_type):
            node.domain = INTEGER_DOMAINS[0]
            moved = True
    if moved and all(entry.domain != INTEGER_DOMAINS[0] for entry in model.opset_import):
        model.opset_import.add(domain=INTEGER_DOMAINS[0], version=1)


def opset_of(model: onnx.ModelProto, path: Path) -> int:
    """Return the opset of ONNX's own domain.

    Raises: UnsupportedModel where there is none, or another than this compiler knows.
    """
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            if entry.version not in OPSETS:
                raise UnsupportedModel(
                    path.name,
                    f"found opset {entry.version}, allowed {OPSETS[0]} to {OPSETS[-1]}",
                    "export with another opset",
                )
            return int(entry.version)
    raise UnsupportedModel(path.name, "found no opset of ONNX's own domain, allowed one", "export it again")
