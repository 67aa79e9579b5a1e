from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from latentia.core.errors import UserError
from latentia.tasks.conformal import check_level, discoveries, false_alarm_range, p_values


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
