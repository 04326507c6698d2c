"""The files of `tmc run`: an npz with one array for each port, by name, or an npy for each output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmc.backend_gap9.emit.names import identifiers
from tmc.backend_gap9.run.result import check_codes, check_runs
from tmc.ir.errors import PlatformError
from tmc.ir.graph import Graph
from tmc.ir.ports import Port, each_run, port_names, ports_of
from tmc.ir.types import Array
from tmc.passes.calibrate.codes import Clipped, clipped_inputs, dequantise, quantise_inputs

_ZIP = b"PK"  # what an npz begins with, and no npy


@dataclass(frozen=True, slots=True)
class GivenInputs:
    """Codes [runs, *shape] by input; of real numbers, what of these was clipped, by input, else None."""

    codes: Mapping[str, Array]
    clipped: Mapping[str, Clipped] | None


def read_inputs(path: Path, graph: Graph) -> GivenInputs:
    """Return the inputs in a file: one or a stack for each port, all real numbers or all codes.

    Raises: PlatformError for an unreadable file, arrays that are not one for each input, another shape, or
    codes beyond the limits.
    """
    ports = ports_of(graph).inputs
    arrays = {port.name: _stacked(path, port, array) for port, array in _read(path, ports)}
    check_runs(str(path), arrays)
    kinds = {name: _is_real(path, name, array) for name, array in arrays.items()}
    if len(set(kinds.values())) > 1:
        real, codes = (", ".join(name for name in kinds if kinds[name] is kind) for kind in (True, False))
        raise PlatformError(
            str(path),
            f"found real numbers in {real} and codes in {codes}, allowed one of the two in all",
            "give floats for all inputs, and they are quantised here",
        )
    if not all(kinds.values()):
        for port in ports:
            where = f"{path}: array {port.name}"
            check_codes(where, port.type, arrays[port.name], "give floats, and they are quantised here")
        return GivenInputs(arrays, None)
    runs = [quantise_inputs(graph, one_run) for one_run in each_run(arrays)]
    codes_of = {port.name: np.stack([run[port.name] for run in runs]) for port in ports}
    return GivenInputs(codes_of, clipped_inputs(graph, arrays))


def write_outputs(path: Path, graph: Graph, outputs: Mapping[str, Array], real: bool) -> None:
    """Write outputs [runs, *shape] by name, as codes or as the real numbers they stand for.

    A name that ends in .npz gets an array for each port. Any other gets the array of the only one; of several
    NAME.npy makes a file for each, NAME.PORT.npy, with an underscore for what no C identifier may hold.
    Raises: PlatformError where a file cannot be written.
    """
    ports = ports_of(graph).outputs
    arrays = {
        port.name: dequantise(port.type, outputs[port.name]).astype(np.float32)
        if real
        else outputs[port.name]
        for port in ports
    }
    if path.suffix == ".npz":
        _write(path, arrays)
    elif len(ports) == 1:
        _write(path, arrays[ports[0].name])
    else:
        for port, part in zip(ports, identifiers([port.name for port in ports]), strict=True):
            _write(path.with_name(f"{path.stem}.{part}{path.suffix}"), arrays[port.name])


def _write(path: Path, arrays: Array | dict[str, Array]) -> None:
    try:
        with path.open("wb") as file:  # numpy would add .npy to a name without it
            if isinstance(arrays, dict):
                np.savez(file, **arrays)  # type: ignore[arg-type]
            else:
                np.save(file, arrays, allow_pickle=False)
    except OSError as error:
        raise PlatformError(
            str(path), f"cannot be written: {error.strerror}", "name another file with --output"
        ) from error


def _read(path: Path, ports: tuple[Port, ...]) -> list[tuple[Port, Array]]:
    """Return the array of each port."""
    try:
        found = _load(path)
    except Exception as error:  # a damaged archive raises whatever its member provokes in zipfile or numpy
        raise PlatformError(str(path), f"found no readable npy or npz file ({error})") from error
    if not isinstance(found, dict):
        if len(ports) > 1:
            raise PlatformError(
                str(path),
                f"found one array, allowed an npz with one for each of {len(ports)} inputs "
                f"({port_names(ports)})",
                "write it with numpy.savez, each array under the name of its input",
            )
        found = {ports[0].name: found}
    if set(found) != {port.name for port in ports}:
        raise PlatformError(
            str(path),
            f"found arrays {', '.join(sorted(found)) or 'none'}, allowed {port_names(ports)}",
            "name each array after an input",
        )
    return [(port, found[port.name]) for port in ports]


def _load(path: Path) -> Array | dict[str, Array]:
    """Return the array of an npy, or those of an npz."""
    with path.open("rb") as file:
        is_npz = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        if not is_npz:
            return np.lib.format.read_array(file, allow_pickle=False)
        with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}


def _stacked(path: Path, port: Port, array: Array) -> Array:
    """Return an array as [runs, *shape]; a batch axis of 1 may be missing. Truth values become 1 and 0."""
    shape = port.type.shape
    shorter = shape[1:] if shape[:1] == (1,) else shape
    if array.shape in (shape, shorter):
        array = array[None]
    if array.shape[1:] not in (shape, shorter) or array.ndim == 0 or len(array) == 0:
        raise PlatformError(
            f"{path}: array {port.name}",
            f"found shape {array.shape}, allowed {shape} or a stack of these",
            "the batch axis of 1 may be left out",
        )
    array = array.astype(np.float32) if array.dtype == np.bool_ else array
    return array.reshape(len(array), *shape)


def _is_real(path: Path, name: str, array: Array) -> bool:
    """Tell real numbers from codes."""
    if np.issubdtype(array.dtype, np.integer):
        return False
    if not np.issubdtype(array.dtype, np.floating):
        found = f"found elements of type {array.dtype}, allowed floats or integers"
        raise PlatformError(f"{path}: array {name}", found)
    return True
