"""network.h: what a firmware engineer includes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from tmc.backend_gap9.emit.captions import Captions
from tmc.backend_gap9.emit.names import Names, c_string, comment_lines, wrapped
from tmc.ir.errors import PlanError
from tmc.ir.ports import Port, Ports
from tmc.ir.types import DType, Quant, TensorType

C_TYPES = {
    DType.S8: "int8_t",
    DType.U8: "uint8_t",
    DType.S16: "int16_t",
    DType.U16: "uint16_t",
    DType.S32: "int32_t",
}


@dataclass(frozen=True, slots=True)
class Macro:
    """One #define."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class PortText:
    """Input or output of a network: its name in C, its own as a C string, its type, the macro of its size."""

    variable: str
    name: str
    c_type: str
    bytes_macro: str
    comment: tuple[str, ...]
    macros: tuple[Macro, ...]


@dataclass(frozen=True, slots=True)
class InterfaceText:
    """What the templates print of ports; `macro` begins macros, `signature` is that of NAME_run in lines."""

    name: str
    macro: str
    title: tuple[str, ...]
    inputs: tuple[PortText, ...]
    outputs: tuple[PortText, ...]
    signature: tuple[str, ...]
    weights_bytes: int
    weights_checksum: str


def interface_text(ports: Ports, captions: Captions, names: Names, image: bytes) -> InterfaceText:
    """Return what network.h says. `image` is the content of weights.bin.

    Raises: PlanError for a float input or output.
    """
    macro = names.network.upper()
    inputs, outputs = (
        tuple(
            _port(port, what, variable, f"{macro}_{variable.upper()}")
            for port, variable in zip(found, variables, strict=True)
        )
        for what, found, variables in (
            ("input", ports.inputs, names.inputs),
            ("output", ports.outputs, names.outputs),
        )
    )
    parameters = (
        *(f"const {port.c_type} *{port.variable}" for port in inputs),
        *(f"{port.c_type} *{port.variable}" for port in outputs),
    )
    return InterfaceText(
        names.network,
        macro,
        tuple(comment_lines(captions.made_by)),
        inputs,
        outputs,
        tuple(wrapped(f"int {names.network}_run({', '.join(parameters)})", 0)),
        len(image),
        f"0x{zlib.crc32(image):08X}u",
    )


def _scale_of_element(tensor: TensorType, quant: Quant, scales: str) -> str:
    """Return which of several scales an element has, by its number: a port is an array without a shape."""
    count = len(quant.scale)
    if quant.per == "channel":
        return f"one scale per channel: that of element i, from 0, is entry i % {count} of {scales}"
    assert quant.per is not None, "the verifier allows several scales only per something"
    what, part = quant.per.replace("_", " "), tensor.elements // count
    return f"one scale per {what}: that of element i, from 0, is entry i / {part} of {scales}"


def _port(port: Port, what: str, variable: str, prefix: str) -> PortText:
    tensor, quant = port.type, port.type.quant
    if tensor.dtype not in C_TYPES:
        found = f"found {tensor.dtype.value}, allowed {', '.join(dtype.value for dtype in C_TYPES)}"
        raise PlanError(f"{what} %{port.name}", found, "run the quantise pass first")
    c_type = C_TYPES[tensor.dtype]
    shape = " x ".join(str(size) for size in tensor.shape)
    scales = () if quant is None else tuple(repr(float(scale)) for scale in quant.scale)
    macros = [
        Macro(f"{prefix}_ELEMENTS", f"{tensor.elements}u"),
        Macro(f"{prefix}_BYTES", f"{tensor.size_bytes}u"),
    ]
    meaning = "The model states no scale."
    if quant is not None:
        macros.append(Macro(f"{prefix}_ZERO_POINT", f"({quant.zero_point})"))
        meaning = "value = scale * (element - zero point)"
        if len(scales) == 1:
            macros.append(Macro(f"{prefix}_SCALE", scales[0]))
            meaning += ". No code here uses the scale; it expands to a floating-point constant."
        else:
            macros.append(Macro(f"{prefix}_SCALES", f"{{{', '.join(scales)}}}"))
            meaning += (
                f", {_scale_of_element(tensor, quant, f'{prefix}_SCALES')}. "
                "No code here uses the scales; they expand to floating-point constants."
            )
    if what == "input":
        least, most = tensor.code_limits
        macros += [Macro(f"{prefix}_MIN", f"({least})"), Macro(f"{prefix}_MAX", str(most))]
        if quant is not None and quant.bits is not None:
            meaning += f" Elements have {quant.bits} bits: clip to the limits, beyond them sums may overflow."
    comment = comment_lines(f"The {what} {port.name}: {c_type} [{shape}], row by row. {meaning}")
    name, bytes_macro = c_string(port.name), f"{prefix}_BYTES"
    return PortText(variable, name, c_type, bytes_macro, tuple(comment), tuple(macros))
