"""The paired test of models on the same images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from latentia.data.imageset import from_array
from latentia.studies.paired import Paired

RANDOM = np.random.default_rng(3)


def made(errors: np.ndarray) -> Paired:
    images = from_array(np.zeros((errors.shape[1], 4, 4), dtype=np.uint8))
    names = tuple("abcd"[: len(errors)])
    return Paired(names, "validation", images, (images,) * len(errors), errors)


def test_two_models_are_compared_as_scipy_compares_them() -> None:
    errors = RANDOM.random((2, 30)) + np.array([[0.2], [0.0]])
    found = made(errors)
    assert found.best == 1
    assert np.isnan(found.p_values[1])
    assert found.p_values[0] == pytest.approx(ttest_rel(errors[0], errors[1]).pvalue)
    interval = ttest_rel(errors[0], errors[1]).confidence_interval()
    assert found.differences[0].low == pytest.approx(interval.low)


def test_several_are_adjusted_for_their_number() -> None:
    errors = RANDOM.random((4, 25)) + np.array([[0.0], [0.15], [0.3], [0.05]])
    found = made(errors)
    others = [row for row in range(4) if row != found.best]
    raw = {row: ttest_rel(errors[row], errors[found.best]).pvalue for row in others}
    order = sorted(others, key=lambda row: raw[row])
    expected, least = {}, 0.0
    for rank, row in enumerate(order):
        least = max(least, min(1.0, (3 - rank) * raw[row]))
        expected[row] = least
    assert [found.p_values[row] for row in others] == pytest.approx([expected[row] for row in others])


def test_equal_models_are_not_told_apart_and_one_image_tells_nothing() -> None:
    same = made(np.tile(RANDOM.random(9), (2, 1)))
    assert same.p_values[1] == 1.0
    assert np.isnan(made(np.array([[0.1], [0.2]])).p_values).all()
    assert "paired over images" in str(same)
