"""Predictions and their calibration against known values and scikit-learn."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, log_loss

from latentia.data.imageset import from_array
from latentia.data.labels import numbers_for
from latentia.tasks.calibration import fit_temperature, reliability, softmax, temperature_for_confidence
from latentia.tasks.predict import Prediction, wilson

RANDOM = np.random.default_rng(0)
IMAGES = from_array(RANDOM.integers(0, 255, (300, 4, 4), dtype=np.uint8), source="some")
LOGITS = RANDOM.normal(size=(300, 3)) * 2
TRUTH = np.array([RANDOM.choice(3, p=chances) for chances in softmax(LOGITS)])


def test_a_temperature_that_was_put_in_is_found_again() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(20_000, 4)) * 3
    truth = (softmax(logits).cumsum(1) < random.random((20_000, 1))).sum(1)
    assert fit_temperature(logits, truth) == pytest.approx(1.0, abs=0.05)
    assert fit_temperature(logits * 3, truth) == pytest.approx(3.0, abs=0.15)
    assert fit_temperature(logits / 3, truth, least=1.0) == 1.0


def test_the_temperature_for_a_wanted_confidence() -> None:
    found = temperature_for_confidence(LOGITS, 0.6)
    assert found > 1
    assert softmax(LOGITS, found).max(1).mean() == pytest.approx(0.6, abs=1e-3)
    assert temperature_for_confidence(LOGITS, 0.999) == 1.0, "it never sharpens"
    assert temperature_for_confidence(LOGITS, 0.0) == 20.0


def test_perfect_probabilities_have_no_calibration_error_and_boasting_has() -> None:
    random = np.random.default_rng(2)
    logits = random.normal(size=(50_000, 4)) * 2
    truth = (softmax(logits).cumsum(1) < random.random((50_000, 1))).sum(1)
    assert reliability(softmax(logits), truth).error < 0.01
    assert reliability(softmax(logits * 4), truth).error > 0.1
    known = np.tile([0.8, 0.2], (10, 1))
    assert reliability(known, np.array([0] * 6 + [1] * 4)).error == pytest.approx(0.2)


def test_figures_agree_with_scikit_learn() -> None:
    chances = softmax(LOGITS)
    found = Prediction(IMAGES, ("a", "b", "c"), chances, 0.0, TRUTH).judgement()
    assert found.error == pytest.approx((chances.argmax(1) != TRUTH).mean())
    assert found.nll == pytest.approx(log_loss(TRUTH, chances))
    assert np.array_equal(found.confusion, confusion_matrix(TRUTH, chances.argmax(1)))


def test_wilsons_interval() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    for wrong, count in ((0, 10), (3, 100), (50, 50)):
        expected = scipy_stats.binomtest(wrong, count).proportion_ci(method="wilson")
        assert wilson(wrong, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_unlabelled_images_are_not_judged_and_unknown_classes_are_wrong() -> None:
    chances = np.tile([0.9, 0.1], (300, 1))
    truth = np.array([0, 1, -1, -2] * 75)
    found = Prediction(IMAGES, ("a", "b"), chances, 0.0, truth).judgement()
    assert found.count == 225
    assert found.error == pytest.approx(2 / 3)
    assert Prediction(IMAGES, ("a", "b"), chances, 0.0, np.full(300, -1)).judgement() is None
    assert Prediction(IMAGES, ("a", "b"), chances).judgement() is None


def test_unsure_below_the_threshold_and_the_file_says_so(tmp_path: Path) -> None:
    found = Prediction(IMAGES, ("a", "b", "c"), softmax(LOGITS), 0.6, TRUTH)
    assert found.answers.count("unsure") == int((softmax(LOGITS).max(1) < 0.6).sum()) > 0
    judged = found.judgement()
    assert judged.error_when_sure < judged.error
    found.write_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(IMAGES.names)
    assert [row["label"] for row in rows] == found.answers
    assert np.allclose([[float(row[f"p({name})"]) for name in "abc"] for row in rows], softmax(LOGITS), atol=1e-6)
    assert "unsure of" in str(found)


def test_classes_that_the_classifier_does_not_know_are_counted_by_name() -> None:
    images = from_array(np.asarray(IMAGES.pixels)[:6], ["cat", "dog", "owl", "owl", "cat", "fox"])
    chances = np.tile([0.9, 0.1], (6, 1))
    found = Prediction(images, ("cat", "dog"), chances, truth=numbers_for(images, ("cat", "dog")))
    judged = found.judgement()
    assert judged is not None
    assert judged.strange == {"owl": 2, "fox": 1}
    assert judged.confusion.sum() == judged.count - 3
    assert "3 of them are of classes that it does not know and count as wrong (owl: 2, fox: 1)" in str(judged)
    assert found.true_names == ["cat", "dog", "owl", "owl", "cat", "fox"]
