"""Intervals and tests over folds, corrected for the overlap of their training sets (Nadeau & Bengio 2003).

The J figures of J trainings on overlapping sets are not independent, and the usual variance of their mean is far too small.
With ``n_test`` images judged and ``n_train`` trained on in each, equation 10 of "Inference for the Generalization Error"
takes ``(1/J + n_test/n_train) s**2`` instead of ``s**2 / J``, with Student's t of J - 1 degrees of freedom. For repeated
k-fold it is used as in Bouckaert & Frank 2004.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure over folds.

    Attributes:
        values: one for each fold.
        mean, std: over the folds; the deviation has J - 1 below it, and is NaN of a single fold.
        error: the corrected standard error of the mean.
        low, high: the corrected 95 % confidence interval, NaN of a single fold.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    error: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


def estimate(values: Sequence[float], overlap: float, level: float = LEVEL) -> Estimate:
    """Return mean, deviation and corrected interval of the folds' ``values``; ``overlap`` is ``n_test / n_train``."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(tuple(array.tolist()), mean, math.nan, math.nan, math.nan, math.nan)
    std = float(array.std(ddof=1))
    error = std * math.sqrt(1 / len(array) + overlap)
    half = factor(len(array), overlap, level) * std
    return Estimate(tuple(array.tolist()), mean, std, error, mean - half, mean + half)


def factor(folds: int, overlap: float, level: float = LEVEL) -> float:
    """Return half of the interval's width in standard deviations over folds."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, folds - 1)) * math.sqrt(1 / folds + overlap)


def paired_p_value(differences: Sequence[float], overlap: float) -> float:
    """Return the two-sided p-value of the corrected t-test that the mean difference is 0; NaN of a single fold."""
    from scipy.stats import t

    found = estimate(differences, overlap)
    if math.isnan(found.error):
        return math.nan
    if found.error == 0:
        return 1.0 if found.mean == 0 else 0.0
    return float(2 * t.sf(abs(found.mean) / found.error, len(found.values) - 1))
