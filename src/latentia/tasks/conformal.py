"""Thresholds that mean something: conformal p-values and what they promise (Vovk et al. 2005; Bates et al. 2023).

The score of a new image is ranked among those of n calibration images, which the model has neither learned from nor was chosen
by. If the new image is like them (exchangeable), its p-value is at most alpha with probability at most alpha, whatever the
score is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError


def p_values(
    scores: npt.NDArray[Any], calibration: npt.NDArray[Any], among: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """Return the share of calibration scores that are at least as odd, the image itself counted in: float64 ``[N]``.

    p = (1 + #{calibration <= score}) / (n + 1), Bates et al. 2023, eq. 2; scores are higher for normal images. Images that are
    ``among`` the calibration images are ranked among the n - 1 others.
    """
    ordered = np.sort(np.asarray(calibration, dtype=np.float64))
    below = np.searchsorted(ordered, np.asarray(scores, dtype=np.float64), side="right")
    new = (1.0 + below) / (len(ordered) + 1.0)
    return np.asarray(new if among is None else np.where(among, np.maximum(below, 1) / max(len(ordered), 1), new))


def check_level(level: float, count: int, what: str = "false alarms") -> None:
    """Raise a :class:`UserError` where ``count`` calibration images cannot give p-values as small as ``level``."""
    if not 0 < level < 1:
        raise UserError(f"the rate of {what} is {level:g}, but it must lie between 0 and 1")
    needed = math.ceil(1 / level - 1e-9) - 1
    if count < needed:
        raise UserError(
            f"{count} calibration images are too few for {level:g} {what}: the smallest p-value they give is "
            f"{1 / (count + 1):.3g}; name at least {needed} images with --calibrate, or ask for a higher rate"
        )


def false_alarm_range(level: float, calibration: int, new: int, cover: float = 0.95) -> tuple[float, float]:
    """Return the range of the share of false alarms among ``new`` normal images, for one calibration set.

    Over calibration sets and images the number of alarms is beta-binomial, with l = floor(level (n + 1)) and n + 1 - l
    (Vovk 2012, prop. 2a), if scores have no ties.
    """
    from scipy.stats import betabinom

    below = math.floor(level * (calibration + 1) + 1e-9)
    alarms = betabinom(new, below, calibration + 1 - below)
    low, high = alarms.ppf((1 - cover) / 2), alarms.ppf((1 + cover) / 2)
    return float(low) / new, float(high) / new


def discoveries(p: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.bool_]:
    """Return which images to flag so that, on average, at most ``rate`` of the flagged are normal: bool ``[N]``.

    Benjamini & Hochberg 1995; it holds for conformal p-values, which depend on one another through the calibration images
    in the right direction (Bates et al. 2023, theorem 2).
    """
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p, method="bh") <= rate)
