"""Classifiers without a network of their own: they learn, choose their setting among the labels, and see the right numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentia import load
from latentia.presets import design
from latentia.tasks.embed import embed
from latentia.tasks.shallow import CLASSIFIERS, Spaces, shallow_answers
from latentia.training.initial import initial_model

IMAGES = load("digits", "train").select(range(400))
TEST = load("digits", "test")


def spaces(latent_dim: int = 5) -> Spaces:
    options = {"encoder.widths": "4,8", "latent_dim": latent_dim, "bottleneck.hidden": 0, "decoder.hidden": 0}
    return Spaces(IMAGES, initial_model(design("cae", options).architecture, IMAGES, 0), TEST)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_each_classifier_learns_digits(classifier: str) -> None:
    found = spaces()
    assert IMAGES.labels is not None and TEST.labels is not None
    said, note = shallow_answers(classifier, found.rows("pixels", IMAGES), IMAGES.labels, found.judged_rows("pixels"))
    assert (said == TEST.labels).mean() > 0.88
    assert "=" in note


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_one_label_of_each_class_is_enough(classifier: str) -> None:
    rows = np.array([[0.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    said, _ = shallow_answers(classifier, rows, np.array([3, 7]), rows + 0.1)
    assert said.tolist() == [3, 7]


def test_spaces_hold_what_they_are_called() -> None:
    found = spaces()
    pixels = found.rows("pixels", TEST)
    assert pixels.shape == (180, 64)
    assert pixels.max() <= 1.0
    assert found.rows("pca", TEST).shape == (180, 5), "as many components as the code has numbers"
    assert np.allclose(found.judged_rows("codes"), embed(found.model, TEST))
    assert found.name("pca") == "PCA-5"
    assert found.name("codes") == "frozen codes (5 numbers)"


def test_a_code_as_large_as_the_image_is_compared_with_fifty_components() -> None:
    assert spaces(latent_dim=64).name("pca") == "PCA-50"
