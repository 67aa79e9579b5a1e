from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import betabinom

from latentia.core.errors import UserError
from latentia.tasks.conformal import (
    check_level,
    cross_guarantee,
    cross_p_values,
    discoveries,
    false_alarm_range,
    holm,
    p_values,
    threshold,
)


def test_p_values_by_hand() -> None:
    calibration = np.array([1.0, 2.0, 3.0, 4.0])
    assert p_values(np.array([0.5, 2.5, 9.0]), calibration).tolist() == [0.2, 0.6, 1.0]
    assert p_values(np.array([2.0]), calibration).tolist() == [0.6], "a tie counts against the image"
    assert p_values(np.array([1.0, 4.0]), calibration, np.array([True, True])).tolist() == [0.25, 1.0]


def test_the_rate_of_false_alarms_over_two_hundred_fresh_splits() -> None:
    """Calibration and new scores from one law: the number of alarms is beta-binomial around the asked rate."""
    random = np.random.default_rng(0)
    level, count, new, splits = 0.05, 199, 100, 200
    alarms = [
        int((p_values(random.standard_t(3, new), random.standard_t(3, count)) <= level).sum()) for _ in range(splits)
    ]
    below = int(level * (count + 1))
    law = betabinom(new, below, count + 1 - below)
    error = law.std() / np.sqrt(splits)
    assert abs(np.mean(alarms) - new * level) < 3 * error
    assert np.std(alarms) == pytest.approx(law.std(), rel=0.2)
    low, high = false_alarm_range(level, count, new)
    inside = np.mean([low <= each / new <= high for each in alarms])
    assert inside >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / splits)


def test_false_discoveries_stay_below_the_rate() -> None:
    random = np.random.default_rng(1)
    shares = []
    for _ in range(100):
        scores = np.concatenate([random.normal(size=90), random.normal(-4, 1, size=10)])
        flagged = discoveries(p_values(scores, random.normal(size=500)), 0.2)
        shares.append(flagged[:90].sum() / max(flagged.sum(), 1))
    assert np.mean(shares) < 0.2 + 3 * np.std(shares) / 10
    assert np.mean(shares) > 0.1, "and it does flag"


def test_too_few_images_for_a_level_are_refused_with_the_number_needed() -> None:
    with pytest.raises(UserError, match=r"50 calibration images are too few for 0.01 false alarms.*at least 99 images"):
        check_level(0.01, 50)
    check_level(0.01, 99)
    with pytest.raises(UserError, match=r"is 1.5, but it must lie between 0 and 1"):
        check_level(1.5, 50)


def test_a_threshold_is_where_p_values_reach_the_level() -> None:
    random = np.random.default_rng(2)
    calibration, scores = random.normal(size=150), random.normal(size=2000)
    for level in (0.01, 0.05, 0.1, 0.5):
        assert np.array_equal(scores < threshold(calibration, level), p_values(scores, calibration) <= level)
    with pytest.raises(UserError, match=r"150 calibration images are too few for 0.001 false alarms"):
        threshold(calibration, 0.001)


def test_cross_conformal_p_values_by_hand() -> None:
    held = [np.array([1.0, 3.0]), np.array([10.0, 30.0])]
    scores = np.array([[0.0, 2.0, 5.0], [20.0, 5.0, 50.0]])  # of three images by two folds' models
    assert cross_p_values(scores, held).tolist() == [2 / 5, 2 / 5, 1.0]
    own = np.array([np.nan, 3.0, np.nan])
    assert cross_p_values(scores, held, own).tolist() == [2 / 5, 2 / 4, 1.0]


def test_cross_conformal_false_alarms_are_near_the_level_and_below_the_guarantee() -> None:
    """Folds that fit a mean and a spread of their own to few values, so that their models really differ."""
    random, level, folds, count = np.random.default_rng(3), 0.1, 5, 50
    rates = []
    for _ in range(200):
        known, new = random.standard_t(4, (2, count))
        parts = np.array_split(np.arange(count), folds)
        held, scores = [], []
        for part in parts:
            rest = np.delete(known, part)
            middle, spread = np.median(rest), rest.std()
            held.append(-np.abs(known[part] - middle) / spread)
            scores.append(-np.abs(new - middle) / spread)
        rates.append((cross_p_values(np.stack(scores), held) <= level).mean())
    guarantee = cross_guarantee(level, count, folds)
    assert guarantee == pytest.approx(2 * (5 + 4) / 55)
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= guarantee
    assert abs(np.mean(rates) - level) < 0.02 + 3 * error


def test_the_guarantee_is_reached_by_the_worst_dependence() -> None:
    """Two folds whose p-values oppose one another: their mean is small twice as often as a p-value may be."""
    u = np.random.default_rng(4).random(200_000)
    level = 0.1
    # Rüschendorf 1982: where u is below 2 * level, the second is 2 * level - u
    second = np.where(u < 2 * level, 2 * level - u, u)
    assert np.mean((u + second) / 2 <= level + 1e-12) == pytest.approx(2 * level, abs=0.005)


def test_holm_gives_the_textbook_adjustment() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([math.nan, 0.04]) == pytest.approx([math.nan, 0.04], nan_ok=True)
