"""Thresholds that mean something: conformal p-values and what they promise (Vovk et al. 2005; Bates et al. 2023).

The score of a new image is ranked among those of n calibration images, which the model has neither learned from nor was chosen
by. If the new image is like them (exchangeable), its p-value is at most alpha with probability at most alpha, whatever the
score is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def cross_p_values(
    scores: npt.NDArray[Any], held: Sequence[npt.NDArray[Any]], own: npt.NDArray[Any] | None = None
) -> npt.NDArray[np.float64]:
    """Return cross-conformal p-values (Vovk 2015, eq. 9, whose counterpart for intervals is CV+, Barber et al. 2021).

    p = (1 + sum over folds k of #{held_k <= score_k}) / (n + 1): an image is compared with the held-out images of each fold by
    that fold's model, so each comparison is of images that this model has not seen.

    Args:
        scores: ``[K, N]``, of new images by each fold's model.
        held: K arrays, the scores of each fold's held-out images by its model, n in all.
        own: where the images are held-out images themselves, their out-of-fold scores ``[N]``, NaN for the others: these are
            ranked among the n - 1 other out-of-fold scores.
    """
    count = sum(map(len, held))
    below = np.zeros(np.asarray(scores).shape[1])
    for theirs, known in zip(scores, held, strict=True):
        below += np.searchsorted(np.sort(np.asarray(known, dtype=np.float64)), theirs, side="right")
    new = (1.0 + below) / (count + 1.0)
    if own is None:
        return np.asarray(new)
    among = np.isfinite(own)
    known = np.concatenate([np.asarray(part, dtype=np.float64) for part in held])
    return np.where(among, p_values(np.where(among, own, 0.0), known, among), new)


def cross_guarantee(level: float, count: int, folds: int) -> float:
    """Return the most that images like the ``count`` held-out ones are flagged where :func:`cross_p_values` are <= ``level``.

    Twice the level and a little more. Each fold's own p-value is a conformal one, and twice their weighted mean is a p-value
    however they depend on one another (Rüschendorf 1982; Vovk & Wang 2020, table 1); with l = floor(level (n + 1)) the mean is
    at most (l + K - 1) / (n + K). It is the bound of CV+ (Barber et al. 2021, theorem 4, first term).
    """
    below = math.floor(level * (count + 1) + 1e-9)
    return min(1.0, 2.0 * (below + folds - 1) / (count + folds))


def threshold(calibration: npt.NDArray[Any], level: float) -> float:
    """Return the score below which :func:`p_values` are at most ``level``: the l-th lowest, l = floor(level (n + 1)).

    Raises:
        UserError: there are too few calibration scores for the level.
    """
    check_level(level, len(calibration))
    below = math.floor(level * (len(calibration) + 1) + 1e-9)
    return float(np.sort(np.asarray(calibration, dtype=np.float64))[below - 1])


def check_level(
    level: float, count: int, what: str = "false alarms", remedy: str = "name at least {needed} images with --calibrate"
) -> None:
    """Raise a :class:`UserError` where ``count`` calibration images cannot give p-values as small as ``level``.

    ``remedy`` says what to do; ``{needed}`` in it is how many images the level takes.
    """
    if not 0 < level < 1:
        raise UserError(f"the rate of {what} is {level:g}, but it must lie between 0 and 1")
    needed = math.ceil(1 / level - 1e-9) - 1
    if count < needed:
        raise UserError(
            f"{count} calibration images are too few for {level:g} {what}: the smallest p-value they give is "
            f"{1 / (count + 1):.3g}; {remedy.format(needed=needed)}, or ask for a higher rate"
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being several (Holm 1979); NaN stays NaN and is not counted."""
    order = [index for index in np.argsort(np.nan_to_num(p_values, nan=2.0)) if not math.isnan(p_values[index])]
    adjusted, least = [math.nan] * len(p_values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = least
    return adjusted
