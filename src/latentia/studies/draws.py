"""Errors over several draws of labels, all judged on the same images, with intervals that cover both.

A figure of this kind varies with the labels that were drawn and with the images it is judged by. With right and wrong answers
as a table of J draws and n images, the variance of the overall mean is at most s_J**2 / J + s_n**2 / n, where s_J is the
deviation of the draws' means and s_n that of the images' means (the two-way random-effects model; what both share is counted
twice). The interval takes Student's t with the degrees of freedom of Satterthwaite 1946.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from latentia.tasks.predict import wilson

LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class DrawsFigure:
    """A share, or a difference of two, over draws.

    Attributes:
        values: one for each draw.
        mean, std, worst: over the draws; the deviation is NaN of a single one, the worst is the greatest.
        low, high: the 95 % interval, over draws and images; NaN of a single draw.
        p_value: two-sided, that the mean is 0; NaN of a single draw.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    worst: float
    low: float
    high: float
    p_value: float


def over_draws(wrong: npt.NDArray[np.floating]) -> DrawsFigure:
    """Return the figure of ``wrong [J, n]``: 1 where a draw's classifier errs on an image; or the difference of two."""
    from scipy.stats import t

    draws, images = wrong.shape
    each = wrong.mean(1)
    mean, values = float(each.mean()), tuple(each.tolist())
    if draws < 2:
        return DrawsFigure(values, mean, math.nan, float(each.max()), math.nan, math.nan, math.nan)
    std = float(each.std(ddof=1))
    by_draw = std**2 / draws
    by_image = float(wrong.mean(0).var(ddof=1)) / images if images > 1 else 0.0
    error = math.sqrt(by_draw + by_image)
    if error == 0.0:
        half, p_value = 0.0, float(mean == 0.0)
    else:
        freedom = error**4 / (by_draw**2 / (draws - 1) + by_image**2 / max(images - 1, 1))
        half = float(t.ppf(0.975, freedom)) * error
        p_value = float(2 * t.sf(abs(mean) / error, freedom))
    return DrawsFigure(values, mean, std, float(each.max()), mean - half, mean + half, p_value)


def error_over_draws(wrong: npt.NDArray[np.bool_]) -> DrawsFigure:
    """Return the error over draws; its interval stays in [0, 1], and is not empty where nothing (or all) was wrong."""
    found = over_draws(wrong.astype(np.float64))
    if math.isnan(found.low):
        return found
    low, high = max(0.0, found.low), min(1.0, found.high)
    if found.std == 0.0 and found.mean in (0.0, 1.0):
        low, high = wilson(round(found.mean * wrong.shape[1]), wrong.shape[1])
    return dataclasses.replace(found, low=low, high=high)
