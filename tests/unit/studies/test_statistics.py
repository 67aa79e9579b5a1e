from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from latentia.studies.statistics import estimate, factor, paired_p_value


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0], overlap=0.25)
    std = math.sqrt(2.5)
    assert found.mean == 3
    assert found.std == pytest.approx(std)
    assert found.error == pytest.approx(std * math.sqrt(1 / 5 + 0.25))
    assert found.high - found.mean == pytest.approx(2.7764451 * found.error)
    assert found.half_width == pytest.approx(factor(5, 0.25) * std)


def test_without_overlap_the_test_is_the_ordinary_one() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=7), random.normal(0.3, size=7)
    assert paired_p_value((first - second).tolist(), 0.0) == pytest.approx(ttest_rel(first, second).pvalue)


def test_the_correction_makes_it_more_careful() -> None:
    values = [0.1, 0.3, 0.2, 0.25, 0.15]
    assert paired_p_value(values, 0.25) > paired_p_value(values, 0.0)


def test_single_folds_and_equal_values() -> None:
    assert math.isnan(estimate([1.0], 0.25).low)
    assert math.isnan(paired_p_value([1.0], 0.25))
    assert paired_p_value([0.0, 0.0], 0.25) == 1
    assert paired_p_value([1.0, 1.0], 0.25) == 0


def test_the_interval_covers_the_truth_where_figures_are_correlated() -> None:
    """Figures that share a part, as folds share images: the corrected interval keeps its promise, the plain one does not."""
    random = np.random.default_rng(0)
    shared = random.normal(size=(2000, 1)) * math.sqrt(0.2)
    figures = shared + random.normal(size=(2000, 5)) * math.sqrt(0.8)  # correlation n_test / (n_test + n_train) = 1/5

    def covered(overlap: float) -> float:
        found = [estimate(row.tolist(), overlap) for row in figures]
        return float(np.mean([each.low <= 0 <= each.high for each in found]))

    assert covered(0.25) == pytest.approx(0.95, abs=0.015)
    assert covered(0.0) < 0.91
