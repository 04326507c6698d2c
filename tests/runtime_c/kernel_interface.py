"""The headers of the kernels as data, and kernels called through it on numpy arrays.

The argument structures come from the headers' own text, so that no second description can differ from it.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.runtime_c.building import RUNTIME
from tests.runtime_c.target_header import GAP9

HEADERS = (
    "tmc_kernels.h",
    "tmc_element_kernels.h",
    "tmc_attention_kernels.h",
    "tmc_epilogue_kernels.h",
    "tmc_move_kernels.h",
    "tmc_reduction_kernels.h",
    "tmc_ne16_kernels.h",
    "tmc_ne16_attention_kernels.h",
    "tmc_product_kernels.h",
)
HEADER = "".join((RUNTIME / "include" / name).read_text() for name in HEADERS)
# Content of bytes that a kernel must not write.
UNTOUCHED = 0x5C
# Kernels may read to the next multiple of 4 elements: of halves, up to 3 more, and to the next word of them.
READ_BEHIND_BYTES = 8
# Value of scalar arguments that a kernel does not name.
UNUSED = 0x3FFFFFF1

_SCALARS: dict[str, Any] = {"uint32_t": ctypes.c_uint32, "int32_t": ctypes.c_int32}
_STRUCT = re.compile(r"typedef struct \{(?P<fields>[^}]*)\} (?P<name>\w+_args);")
_FIELD = re.compile(r"(?P<type>\w+) (?P<pointer>\*?)(?P<name>\w+);")

# Kernel name -> name of its argument structure.
PROTOTYPES: dict[str, str] = dict(re.findall(r"^void (\w+)\(const (\w+) \*args\);$", HEADER, re.MULTILINE))


def _structure(name: str, body: str) -> type[ctypes.Structure]:
    fields = [
        (field["name"], ctypes.c_void_p if field["pointer"] else _SCALARS[field["type"]])
        for field in _FIELD.finditer(re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))
    ]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


STRUCTURES = {match["name"]: _structure(match["name"], match["fields"]) for match in _STRUCT.finditer(HEADER)}


class Kernels:
    """A shared library of the kernels of one isa, with its set_core(), built for so many cores."""

    def __init__(self, path: Path, isa: str = "scalar", cores: int = GAP9.cores) -> None:
        self._library = ctypes.CDLL(str(path))
        self.cores = cores
        self._isa = isa

    def __call__(self, op: str, cores: Sequence[int] | None = None, **arguments: Any) -> None:
        """Call a kernel, named without its isa, for some cores, or all, in turn; arrays go by address.

        An array may be more than one argument.
        """
        name = f"{op}_{self._isa}"
        args = STRUCTURES[PROTOTYPES[name]]()
        for field, kind in args._fields_:  # type: ignore[misc]
            setattr(args, field, None if kind is ctypes.c_void_p else UNUSED)
        arrays = {}
        for field, value in arguments.items():
            assert hasattr(args, field), field
            if isinstance(value, np.ndarray):
                if value.ctypes.data not in arrays:
                    passed = _extended(value) if self._isa != "scalar" else value
                    arrays[value.ctypes.data] = (value, passed)
                setattr(args, field, arrays[value.ctypes.data][1].ctypes.data)
            else:
                setattr(args, field, int(value))
        kernel = getattr(self._library, name)
        for core in range(self.cores) if cores is None else cores:
            self._library.set_core(core)
            kernel(ctypes.byref(args))
        for value, passed in arrays.values():
            if passed is not value:
                content = value.reshape(-1).view(np.uint8)
                content[:] = passed[: content.size]
                assert (passed[content.size :] == UNTOUCHED).all(), "written behind the last row"


def _extended(array: NDArray[Any]) -> NDArray[Any]:
    """Return the bytes of an array and those behind it that may be read."""
    content = array.reshape(-1).view(np.uint8)
    return np.append(content, np.full(READ_BEHIND_BYTES, UNTOUCHED, dtype=np.uint8))


class Rows:
    """A matrix in memory: rows a pitch apart, ending with the last byte of the last row."""

    def __init__(self, matrix: NDArray[Any], extra_words: int) -> None:
        self.shape, self.dtype = matrix.shape, matrix.dtype
        self.row_bytes = matrix.shape[1] * matrix.itemsize
        self.pitch = (self.row_bytes + 3) // 4 * 4 + 4 * extra_words
        self.memory = np.full((matrix.shape[0] - 1) * self.pitch + self.row_bytes, UNTOUCHED, dtype=np.uint8)
        lines = np.ascontiguousarray(matrix).view(np.uint8).reshape(matrix.shape[0], -1)
        for number, line in enumerate(lines):
            self.memory[number * self.pitch :][: self.row_bytes] = line

    def read(self) -> NDArray[Any]:
        """Return the matrix as it is now; check that nothing between the rows was written."""
        padded = np.append(self.memory, np.full(self.pitch - self.row_bytes, UNTOUCHED, dtype=np.uint8))
        lines = padded.reshape(self.shape[0], self.pitch)
        assert (lines[:, self.row_bytes :] == UNTOUCHED).all(), "written between rows"
        return np.ascontiguousarray(lines[:, : self.row_bytes]).view(self.dtype)


def blank(rows: int, columns: int, dtype: Any, extra_words: int) -> Rows:
    """Return a matrix for a result."""
    return Rows(np.full((rows, columns), UNTOUCHED, dtype=dtype), extra_words)


def packed_weights(
    weight: NDArray[Any], multiplier: NDArray[Any], bias: NDArray[Any] | None, extra_words: int
) -> Rows:
    """Pack weight rows as the kernels read them: weights to a word, multiplier, bias."""
    channels, depth = weight.shape
    words = (depth * weight.itemsize + 3) // 4
    padded = np.zeros((channels, words * 4 // weight.itemsize), dtype=weight.dtype)
    padded[:, :depth] = weight
    constants = [multiplier] if bias is None else [multiplier, bias]
    columns = np.stack(constants, axis=1).astype(np.int32)
    return Rows(np.concatenate([padded.view(np.uint8), columns.view(np.uint8)], axis=1), extra_words)


Case = Callable[[Kernels, np.random.Generator, int, int, int], None]
