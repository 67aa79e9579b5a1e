"""The classifier among scikit-learn's estimators: its own battery, and what that does not ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.estimators import AutoencoderClassifier, ConvAutoencoder

DIGITS = load_digits()
TINY = {"encoder.widths": "8,16", "bottleneck.hidden": 0, "decoder.hidden": 0}
SMALL: dict[str, Any] = {"latent_dim": 3, "epochs": 2, "options": TINY}


@pytest.fixture(scope="module")
def pretrained() -> ConvAutoencoder:
    return ConvAutoencoder(8, image_shape=(8, 8), epochs=12, options=TINY).fit(DIGITS.data[:1000])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderClassifier(pretraining=SMALL, epochs=60, batch_size=64, learning_rate=0.01)])
def test_scikit_learns_own_battery(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("mode", ["probe", "partial", "full"])
def test_few_labels_are_enough_to_be_far_better_than_chance(pretrained: ConvAutoencoder, mode: str) -> None:
    y = DIGITS.target[:600].copy()
    y[100:] = -1
    model = AutoencoderClassifier(pretrained, mode=mode, image_shape=(8, 8), epochs=40, batch_size=100).fit(
        DIGITS.data[:600], y
    )
    fresh, truth = DIGITS.data[1200:], DIGITS.target[1200:]
    assert model.score(fresh, truth) > 0.65
    assert list(model.classes_) == list(range(10))
    chances = model.predict_proba(fresh)
    assert np.allclose(chances.sum(1), 1)
    assert np.array_equal(model.classes_[chances.argmax(1)], model.predict(fresh))


def test_it_does_not_change_the_autoencoder_and_repeats(pretrained: ConvAutoencoder) -> None:
    before = {name: value.clone() for name, value in pretrained.model_.state_dict().items()}
    made = [
        AutoencoderClassifier(pretrained, image_shape=(8, 8), epochs=2).fit(DIGITS.data[:60], DIGITS.target[:60])
        for _ in range(2)
    ]
    assert all((before[name] == value).all() for name, value in pretrained.model_.state_dict().items())
    assert np.array_equal(*(model.predict_proba(DIGITS.data[:50]) for model in made))


def test_texts_are_classes_and_two_signs_too(pretrained: ConvAutoencoder) -> None:
    names = np.array(["zero", "one"])[DIGITS.target[:200] % 2]
    model = AutoencoderClassifier(pretrained, mode="probe", image_shape=(8, 8)).fit(DIGITS.data[:200], names)
    assert set(model.predict(DIGITS.data[:20])) <= {"zero", "one"}
    signs = np.where(DIGITS.target[:200] % 2, 1, -1)
    model = AutoencoderClassifier(pretrained, mode="probe", image_shape=(8, 8)).fit(DIGITS.data[:200], signs)
    assert list(model.classes_) == [-1, 1]


def test_pipeline_and_grid_search(pretrained: ConvAutoencoder) -> None:
    search = GridSearchCV(
        make_pipeline(
            FunctionTransformer(), AutoencoderClassifier(pretrained, mode="probe", image_shape=(8, 8), epochs=2)
        ),
        {"autoencoderclassifier__mode": ["probe", "full"]},
        cv=2,
    )
    search.fit(DIGITS.data[:120], DIGITS.target[:120])
    assert search.best_params_["autoencoderclassifier__mode"] in ("probe", "full")


def test_parameters_survive_cloning() -> None:
    model = AutoencoderClassifier("runs/0001", mode="partial", options={"consistency": 0.5})
    assert clone(model).get_params() == model.get_params()


def test_a_run_and_its_path_will_do(tmp_path: Path) -> None:
    from latentia import train

    images = from_array(DIGITS.images[:100].astype(np.uint8))
    run = train(images, epochs=1, runs=tmp_path, quiet=True, figures=False)
    for given in (run, run.path, str(run.path)):
        model = AutoencoderClassifier(given, mode="probe").fit(
            DIGITS.images[:100].astype(np.uint8), DIGITS.target[:100]
        )
        assert model.score(DIGITS.images[:100].astype(np.uint8), DIGITS.target[:100]) > 0.8


def test_what_cannot_be_learned_is_said_in_a_sentence(pretrained: ConvAutoencoder) -> None:
    with pytest.raises(UserError, match=r"y has labels of 1 class, but a classifier needs two or more"):
        AutoencoderClassifier(pretrained, image_shape=(8, 8)).fit(DIGITS.data[:5], [3, 3, -1, -1, 3])
    with pytest.raises(UserError, match="pretrained is a int, but it must be a run"):
        AutoencoderClassifier(5, image_shape=(8, 8)).fit(DIGITS.data[:5], [0, 1, 0, 1, 0])


@pytest.mark.parametrize("number", [-1, np.int64(-1)])
def test_texts_beside_the_number_minus_one_are_partly_unlabelled(pretrained: ConvAutoencoder, number: Any) -> None:
    y = np.array(["three" if digit == 3 else "other" for digit in DIGITS.target[:60]], dtype=object)
    y[20:] = number
    model = AutoencoderClassifier(pretrained, mode="probe", image_shape=(8, 8)).fit(DIGITS.data[:60], y)
    assert model.classes_.tolist() == ["other", "three"]
    same = AutoencoderClassifier(pretrained, mode="probe", image_shape=(8, 8)).fit(
        DIGITS.data[:60], np.where(np.arange(60) < 20, DIGITS.target[:60] == 3, -1)
    )
    assert ((model.predict(DIGITS.data[:60]) == "three") == (same.predict(DIGITS.data[:60]) == 1)).all()
    with pytest.raises(UserError, match="y has no labels, but a classifier needs two or more"):
        AutoencoderClassifier(pretrained, image_shape=(8, 8)).fit(DIGITS.data[:5], [-1] * 5)
