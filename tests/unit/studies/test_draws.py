"""Figures over draws of labels: intervals that cover what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from latentia.studies.draws import error_over_draws, over_draws


def simulated(random: np.random.Generator, draws: int, images: int) -> np.ndarray:
    """Return answers in which images differ in difficulty and draws in skill; the expected error is known by simulation."""
    skill, difficulty = random.normal(0, 0.5, (draws, 1)), random.normal(0, 1.5, (1, images))
    return random.random((draws, images)) < 1 / (1 + np.exp(1.5 - skill - difficulty))


def test_the_interval_covers_the_draw_of_labels_and_of_images() -> None:
    random = np.random.default_rng(0)
    truth = simulated(random, 2000, 2000).mean()
    found = [error_over_draws(simulated(random, 5, 150)) for _ in range(400)]
    inside = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.93 <= inside <= 0.99
    only_draws = np.mean([abs(each.mean - truth) <= 2.776 * each.std / math.sqrt(5) for each in found])
    assert only_draws < inside, "an interval over draws alone forgets that the images are a sample, too"


def test_values_spread_and_worst_are_those_of_the_draws() -> None:
    wrong = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]], dtype=bool)
    found = error_over_draws(wrong)
    assert found.values == (0.25, 0.5, 0.75)
    assert (found.mean, found.worst) == (0.5, 0.75)
    assert found.std == pytest.approx(0.25)
    assert 0.0 <= found.low < 0.5 < found.high <= 1.0


def test_a_single_draw_has_no_interval_and_no_error_at_all_is_not_certain() -> None:
    assert math.isnan(error_over_draws(np.array([[True, False]])).low)
    never = error_over_draws(np.zeros((3, 100), dtype=bool))
    assert never.low == 0.0
    assert 0.01 < never.high < 0.05


def test_a_difference_that_is_always_there_is_told() -> None:
    random = np.random.default_rng(0)
    other = random.random((5, 300)) < 0.1
    worse = other | (random.random((5, 300)) < 0.1)
    found = over_draws(worse.astype(float) - other.astype(float))
    assert found.low > 0
    assert found.p_value < 0.001
    assert over_draws(np.zeros((5, 300))).p_value == 1.0
