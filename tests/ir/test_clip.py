"""Clips: numpy, plain integers and examples agree."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ir import integer_oracle as oracle
from tmc.ir import attrs as a
from tmc.ir.graph import OpKind as K
from tmc.ir.integer.qclip import QClipAttrs
from tmc.ir.ops import OPS


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_qclip(seed: int, dtype: type) -> None:
    random = np.random.default_rng(seed)
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    groups = (1, 2, 3, 6)[seed % 4]
    x, *residual = (random.integers(least, most + 1, (6, 5)).astype(dtype) for _ in range(2))
    ends = np.sort(random.integers(least, most + 1, (2, groups, 5)).astype(dtype), axis=0)
    added = residual if seed % 2 and dtype is np.int16 else []
    found = OPS[K.QCLIP].evaluate([x, *ends, *added], QClipAttrs(bool(added)))
    lists = [array.tolist() for array in (x, *ends)]
    assert found.dtype == dtype
    assert found.tolist() == oracle.qclip(*lists, added[0].tolist() if added else None)


def test_clip_of_floats() -> None:
    x = np.array([[-3, -1, 0, 2, 9], [-3, -1, 0, 2, 9]], dtype=np.float32)
    low, high = np.float32(-1.5), np.array([[6], [1]], dtype=np.float32)
    found = OPS[K.CLIP].evaluate([x, np.asarray(low), high], a.Attrs())
    assert found.dtype == np.float32
    assert found.tolist() == [[-1.5, -1, 0, 2, 6], [-1.5, -1, 0, 1, 1]]
