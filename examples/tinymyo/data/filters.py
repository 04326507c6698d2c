"""Band-pass and mains notch, as published and as a device can run them.

`filtfilt` is the published one: Butterworth of order 4 and a 50 Hz notch of quality 30, each run forwards
and backwards. It reads the future, so no device computes it. `causal` runs the same two filters forwards
only, from rest, as the second-order sections of `sections`: a device that runs those gets the same samples.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt, iirnotch, sosfilt, tf2sos  # type: ignore[import-untyped]

from examples.tinymyo.errors import TinyMyoError

FilterName = Literal["filtfilt", "causal", "none"]
ORDER = 4
NOTCH_HZ = 50.0
NOTCH_QUALITY = 30.0
# What filtfilt reflects at each end: three times the 9 coefficients of a band-pass of order 4.
SHORTEST = 3 * (2 * ORDER + 1) + 1


def sections(rate_hz: float, band_hz: tuple[float, float]) -> NDArray[np.float64]:
    """Return the second-order sections (5, 6) of band-pass, then notch; rows b0 b1 b2 1 a1 a2."""
    band = butter(ORDER, band_hz, btype="bandpass", fs=rate_hz, output="sos")
    return np.concatenate([band, tf2sos(*iirnotch(NOTCH_HZ, NOTCH_QUALITY, rate_hz))])


def filter_emg(
    emg: NDArray[np.float32], rate_hz: float, band_hz: tuple[float, float], name: FilterName
) -> NDArray[np.float32]:
    """Filter (time, channels), channel by channel in float64; the result is float32.

    Raises:
        TinyMyoError: a band beyond half the rate, a signal too short, or one with values that are no numbers.
    """
    if not np.isfinite(emg).all():
        raise TinyMyoError(
            "emg: found values that are not finite, allowed numbers", "leave this recording out"
        )
    if name == "none":
        return emg
    if band_hz[1] >= rate_hz / 2:
        raise TinyMyoError(
            f"--rate: found {rate_hz:g} Hz, allowed more than {2 * band_hz[1]:g} for this band",
            "give the rate of the rows, or --filter none",
        )
    if len(emg) < SHORTEST:
        raise TinyMyoError(
            f"emg: found {len(emg)} samples, allowed {SHORTEST} or more", "leave this recording out"
        )
    out = np.empty_like(emg)
    band = butter(ORDER, band_hz, btype="bandpass", fs=rate_hz)
    notch = iirnotch(NOTCH_HZ, NOTCH_QUALITY, rate_hz)
    for channel in range(emg.shape[1]):
        signal = emg[:, channel].astype(np.float64)
        if name == "causal":
            out[:, channel] = sosfilt(sections(rate_hz, band_hz), signal)
        else:
            out[:, channel] = filtfilt(*notch, filtfilt(*band, signal))
    return out
