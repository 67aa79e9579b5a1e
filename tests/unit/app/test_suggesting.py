"""Suggestions: doubtful, different from one another and from what is labelled, and only what may be labelled."""

from __future__ import annotations

import numpy as np
import pytest

from latentia.app.suggesting import doubts, suggest

CODES = np.concatenate([np.random.default_rng(k).normal(10 * k, 0.1, (50, 2)) for k in range(4)]).astype(np.float32)
GROUP = np.repeat(np.arange(4), 50)


def test_without_a_classifier_every_group_is_asked_about() -> None:
    chosen = suggest(CODES, np.zeros(200, dtype=bool), None, 4)
    assert sorted(GROUP[chosen]) == [0, 1, 2, 3]


def test_what_is_labelled_is_left_alone_and_kept_away_from() -> None:
    labelled = GROUP == 2
    labelled[100:] |= GROUP[100:] == 3
    chosen = suggest(CODES, labelled, None, 2)
    assert sorted(GROUP[chosen]) == [0, 1]


def test_doubt_comes_first() -> None:
    doubt = np.where(GROUP == 1, 0.9, 0.1)
    chosen = suggest(CODES, np.zeros(200, dtype=bool), doubt, 5)
    assert (GROUP[chosen] == 1).all() and len(set(chosen.tolist())) == 5


def test_only_what_may_be_labelled_and_no_more_than_there_is() -> None:
    allowed = np.zeros(200, dtype=bool)
    allowed[[3, 77]] = True
    assert sorted(suggest(CODES, np.zeros(200, dtype=bool), None, 12, allowed)) == [3, 77]
    assert len(suggest(CODES, np.ones(200, dtype=bool), None, 12)) == 0
    assert len(suggest(np.ones((9, 2), np.float32), np.zeros(9, dtype=bool), None, 5)) >= 1, "codes that coincide"


def test_doubt_is_one_minus_the_lead() -> None:
    assert doubts(np.array([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])) == pytest.approx([1.0, 0.3])
    assert doubts(np.ones((2, 1))).tolist() == [0, 0]
