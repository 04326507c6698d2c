"""The published augmentation of DB5's training windows, as the same three views of a window every time.

Each window is used as it is and in two copies: gain 0.9 to 1.1, noise of 1 % of each
channel's deviation, and each channel set to zero with probability 5 %.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Augment = Literal["none", "published"]
VIEWS: dict[Augment, int] = {"none": 1, "published": 3}
GAIN = (0.9, 1.1)
NOISE = 0.01
DROPOUT = 0.05


def augment(window: NDArray[np.float32], index: int, view: int) -> NDArray[np.float32]:
    """Return one view of window `index` (channels, samples); view 0 is the window."""
    if view == 0:
        return window
    random = np.random.default_rng((index, view))
    scaled = window * random.uniform(*GAIN)
    noise = random.standard_normal(window.shape) * (NOISE * scaled.std(axis=1, keepdims=True))
    kept = random.random((len(window), 1)) >= DROPOUT
    noisy: NDArray[np.float32] = ((scaled + noise) * kept).astype(np.float32)
    return noisy
