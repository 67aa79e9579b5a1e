"""Whether more labels pay: stable answers, and a probe that no longer gains from them."""

from __future__ import annotations

import numpy as np
import pytest

from latentia.tasks.paying import CrossValidated, Paying, Stability, cross_validated, stability


def answers(changed: int) -> tuple[list[str], list[str]]:
    before = ["cat", "dog"] * 500
    return before, ["dog" if row < changed and name == "cat" else name for row, name in enumerate(before)]


def told(changed: int, news: tuple[str, ...] = ()) -> Stability:
    before, now = answers(changed)
    found = stability(("round 1", before, ("cat", "dog"), 20), (now, ("cat", "dog", *news), 40))
    assert found is not None
    return found


def test_kappa_is_agreement_beyond_chance() -> None:
    found = told(100)
    assert found.agreement == 0.95
    assert found.kappa == pytest.approx((0.95 - 0.5) / 0.5)
    assert "the last 20 labels changed 5.00% of the answers on 1,000 images without a label" in str(found)
    assert "kappa 0.900 with round 1, which had 20" in str(found)


def test_labels_pay_while_answers_change_and_hardly_when_they_are_stable() -> None:
    assert "more labels still pay: answers still change" in Paying(told(100), None).verdict
    assert "hardly pay any more" in Paying(told(4), None).verdict
    assert told(0).kappa == 1.0
    assert "more labels still pay" in Paying(told(0, news=("bird",)), None).verdict, "a class that was not known before"


def test_the_probe_gains_from_labels_that_tell_more() -> None:
    random = np.random.default_rng(0)
    numbers = np.arange(300) % 10
    codes = (random.normal(0, 1.0, (300, 40)) + 3.0 * np.eye(10, 40)[numbers]).astype(np.float32)
    few, many = (cross_validated(codes[:n], [str(each) for each in numbers[:n]]) for n in (60, 300))
    assert few is not None and many is not None
    assert many.accuracy > few.accuracy
    assert few.low < few.accuracy < few.high
    assert few.gain == pytest.approx(few.accuracy - few.half)
    assert many.gain_low > 0 > few.gain_low, "sixty labels cannot tell what three hundred can"
    assert "more labels still pay: the second half" in Paying(None, many).verdict
    assert "one more round will tell" in Paying(told(0), many).verdict


def test_chance_is_not_taken_for_skill() -> None:
    random = np.random.default_rng(0)
    found = cross_validated(random.normal(size=(200, 5)).astype(np.float32), ["a", "b"] * 100)
    assert found is not None
    assert found.low < 0.5 < found.high
    assert found.gain_low < 0


def test_too_few_labels_are_not_cross_validated() -> None:
    codes = np.zeros((12, 2), dtype=np.float32)
    assert cross_validated(codes, [str(each) for each in range(12)]) is None, "no class has two"
    assert cross_validated(codes, ["a"] * 12) is None
    assert "can be told when classifiers of two rounds can be compared" in Paying(None, None).verdict
    alone = cross_validated(np.random.default_rng(0).normal(size=(13, 2)).astype(np.float32), ["a", "b"] * 6 + ["c"])
    assert isinstance(alone, CrossValidated)
    assert alone.count == 12, "a label of its own kind cannot be foretold from others"
