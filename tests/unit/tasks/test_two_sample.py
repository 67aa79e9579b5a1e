"""Two samples: tests whose false alarms are those that were asked for, and effect sizes with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest
from sklearn.metrics import roc_auc_score

from latentia.tasks.drift import compare
from latentia.tasks.two_sample import ks_test, mmd_test, superiority, told_apart

RANDOM = np.random.default_rng(0)


def test_mmd_is_that_of_a_plain_reading_of_the_paper() -> None:
    first, second = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(9, 3)) + 1
    rows = np.concatenate([first, second])
    apart = np.square(rows[:, None] - rows[None]).sum(2)
    scales = 2 * np.median(apart[~np.eye(len(rows), dtype=bool)]) * np.array([0.25, 0.5, 1, 2, 4]) ** 2

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([[np.mean(np.exp(-np.square(x - y).sum() / scales)) for y in b] for x in a]))

    expected = kernel(first, first) + kernel(second, second) - 2 * kernel(first, second)
    found, p = mmd_test(first, second)
    assert found == pytest.approx(expected, rel=1e-4)
    assert mmd_test(second, first)[0] == pytest.approx(expected, rel=1e-4)
    assert 0.001 <= p <= 0.05


def test_p_values_without_a_change_are_uniform() -> None:
    found = []
    for number in range(200):
        rows = np.random.default_rng(number).normal(size=(55, 3))
        found.append(mmd_test(rows[:25], rows[25:], permutations=99, seed=number)[1])
    assert kstest(found, "uniform").pvalue > 0.01
    assert binom.ppf(0.001, 200, 0.05) <= sum(p <= 0.05 for p in found) <= binom.ppf(0.999, 200, 0.05)


def test_the_whole_test_raises_no_more_false_alarms_than_were_asked_for() -> None:
    """Codes, scores and looks that hang together, no change: 200 times, unequal counts."""
    alarms, single = 0, []
    for number in range(200):
        random = np.random.default_rng(number)
        codes = random.normal(size=(80, 4)) ** 3  # heavy tails
        error = np.abs(codes[:, 0]) + random.gamma(1.0, size=80)
        scores = [-error, -np.linalg.norm(codes, axis=1), -error + random.normal(size=80)]
        new, old = np.arange(30), np.arange(30, 80)
        pairs = {str(place): (each[new], each[old]) for place, each in enumerate(scores)}
        looks = {"brightness": (codes[new, 1], codes[old, 1]), "detail": (error[new], error[old])}
        tests = compare((codes[new], codes[old]), pairs, looks, permutations=199, seed=number)
        alarms += any(test.adjusted <= 0.05 for test in tests)
        single.append([test.p for test in tests])
    assert alarms <= binom.ppf(0.999, 200, 0.05)
    for p in np.array(single).T:
        assert binom.ppf(0.001, 200, 0.2) <= (p <= 0.2).sum() <= binom.ppf(0.999, 200, 0.2)


@pytest.mark.parametrize(
    "change",
    [lambda rows: rows + 0.8, lambda rows: rows * 2.5, lambda rows: rows * np.array([1, 1, 3])],
    ids=["moved", "wider", "wider in one number"],
)
def test_changes_are_found(change: object) -> None:
    old, new = RANDOM.normal(size=(60, 3)), change(RANDOM.normal(size=(60, 3)))  # type: ignore[operator]
    assert mmd_test(new, old)[1] <= 0.01
    share, _ = told_apart(new, old)
    assert share.low > 0.5


def test_rows_that_are_all_equal_have_not_changed() -> None:
    same = np.ones((20, 3))
    assert mmd_test(same, same) == (pytest.approx(0, abs=1e-6), 1.0)
    assert ks_test(np.zeros(30), np.zeros(40)) == (0.0, 1.0)
    assert told_apart(same, same)[0].value == 0.5


def test_superiority_is_the_area_under_the_curve() -> None:
    first, second = RANDOM.integers(0, 9, 50), RANDOM.integers(2, 11, 70)  # with ties
    truth = np.r_[np.ones(50), np.zeros(70)]
    assert superiority(first, second).value == pytest.approx(roc_auc_score(truth, np.r_[first, second]))
    assert superiority(first, first).value == 0.5
    apart = superiority(np.arange(20) + 100, np.arange(20))
    assert apart.value == apart.high == 1.0
    assert 0.8 < apart.low < 0.95, "twenty images on each side do not prove that all are told apart"
    other = superiority(np.arange(20), np.arange(20) + 100)
    assert (other.low, other.high) == (0.0, pytest.approx(1 - apart.low))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_the_interval_of_the_share_covers_it(shift: float) -> None:
    from scipy.stats import norm

    truth, inside = norm.cdf(shift / np.sqrt(2)), 0
    for number in range(300):
        random = np.random.default_rng(number)
        found = superiority(random.normal(shift, 1, 30), random.normal(0, 1, 45))
        inside += found.low <= truth <= found.high
    assert inside >= binom.ppf(0.005, 300, 0.95)


@pytest.mark.parametrize(("count", "size", "shift"), [(50, 8, 0.0), (25, 4, 1.0)])
def test_the_interval_of_a_learned_share_covers_what_is_learned_from_other_samples(
    count: int, size: int, shift: float
) -> None:
    """Classifiers of other samples differ: with the interval of independent values 80 % and 87 % are covered."""
    found = []
    for number in range(150):
        random = np.random.default_rng(number)
        first, second = random.normal(size=(2, count, size))
        first[:, 0] += shift
        found.append(told_apart(first, second, seed=number)[0])
    usual = np.mean([share.value for share in found])
    assert sum(share.low <= usual <= share.high for share in found) >= binom.ppf(0.005, 150, 0.95)


def test_the_classifier_knows_nothing_of_the_rows_it_is_asked_about() -> None:
    shares = [told_apart(*np.random.default_rng(number).normal(size=(2, 60, 5)))[0].value for number in range(20)]
    assert abs(np.mean(shares) - 0.5) < 0.06
    share, said = told_apart(RANDOM.normal(size=(30, 2)) + 9, RANDOM.normal(size=(50, 2)))
    assert share.value == 1.0
    assert said.shape == (80,) and said[:30].min() > said[30:].max()
