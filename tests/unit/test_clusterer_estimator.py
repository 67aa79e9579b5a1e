"""The clusterer among scikit-learn's estimators: its own battery, and what that does not ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentia import AutoencoderClusterer, ConvAutoencoder
from latentia.core.errors import UserError

DIGITS = load_digits()
TINY = {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0}
PRETRAINING: dict[str, Any] = {"latent_dim": 3, "epochs": 10, "learning_rate": 0.01, "options": TINY}


@pytest.fixture(scope="module")
def pretrained() -> ConvAutoencoder:
    return ConvAutoencoder(8, image_shape=(8, 8), epochs=40).fit(DIGITS.data[:1000])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderClusterer(pretraining=PRETRAINING)])
def test_scikit_learns_own_battery(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(("method", "count"), [("auto", None), ("k-means", 10), ("mixture", 10), ("hdbscan", None)])
def test_clusters_are_groups_of_like_images(pretrained: ConvAutoencoder, method: str, count: int | None) -> None:
    model = AutoencoderClusterer(count, pretrained=pretrained, method=method, image_shape=(8, 8))
    labels = model.fit_predict(DIGITS.data[:1000])
    assert labels.shape == (1000,)
    assert set(labels) <= set(range(-1, model.n_clusters_))
    assert count is None or model.n_clusters_ == count
    placed = labels >= 0
    assert adjusted_rand_score(DIGITS.target[:1000][placed], labels[placed]) > 0.3
    new = model.predict(DIGITS.data[1000:])
    placed = new >= 0
    assert adjusted_rand_score(DIGITS.target[1000:][placed], new[placed]) > 0.3
    assert np.array_equal(clone(model).fit_predict(DIGITS.data[:1000]), labels)


def test_it_can_be_searched_and_kept(pretrained: ConvAutoencoder, tmp_path: Path) -> None:
    model = AutoencoderClusterer(pretrained=pretrained, image_shape=(8, 8), method="k-means")
    search = GridSearchCV(
        model,
        {"n_clusters": [2, 10]},
        scoring=lambda fitted, X, y: adjusted_rand_score(y, fitted.predict(X)),
        cv=2,
    )
    search.fit(DIGITS.data[:300], DIGITS.target[:300])
    assert search.best_params_ == {"n_clusters": 10}
    joblib.dump(search.best_estimator_, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert np.array_equal(again.predict(DIGITS.data[:20]), search.best_estimator_.predict(DIGITS.data[:20]))


def test_what_cannot_be_clustered_is_said_in_a_sentence(pretrained: ConvAutoencoder) -> None:
    with pytest.raises(UserError, match="30 clusters are asked for, but array has 20 images: ask for 20 or fewer"):
        AutoencoderClusterer(30, pretrained=pretrained, image_shape=(8, 8)).fit(DIGITS.data[:20])
    with pytest.raises(UserError, match="pretrained is a dict, but it must be a run, a run's path or a fitted"):
        AutoencoderClusterer(pretrained={}, image_shape=(8, 8)).fit(DIGITS.data[:20])
