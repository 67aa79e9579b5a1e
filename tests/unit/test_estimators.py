"""scikit-learn's own battery, and what it does not ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentia import ConvAutoencoder
from latentia.core.errors import UserError

DIGITS = load_digits()
SMALL: dict[str, Any] = {
    "latent_dim": 3,
    "epochs": 2,
    "options": {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([ConvAutoencoder(**SMALL)])
def test_scikit_learns_own_battery(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("layout", ["rows", "NHW", "NCHW", "NHWC", "uint8"])
def test_every_layout_of_images_comes_back_as_it_went_in(layout: str) -> None:
    rows = DIGITS.data[:60]
    given = {
        "rows": rows,
        "NHW": DIGITS.images[:60],
        "NCHW": rows.reshape(60, 1, 8, 8),
        "NHWC": np.repeat(rows.reshape(60, 8, 8, 1), 3, axis=-1),
        "uint8": (DIGITS.images[:60] * 15).astype(np.uint8),
    }[layout]
    model = ConvAutoencoder(**SMALL, image_shape=(8, 8) if layout == "rows" else None).fit(given)
    codes = model.transform(given)
    assert codes.shape == (60, 3)
    for back in (model.inverse_transform(codes), model.reconstruct(given)):
        assert back.shape == given.shape
        assert back.min() >= given.min()
        assert back.max() <= given.max()
    assert model.score_samples(given).shape == (60,)
    assert model.score(given) == pytest.approx(model.score_samples(given).mean())


def test_training_beats_the_mean_image_and_repeats() -> None:
    rows = DIGITS.data[:500]
    options = {"latent_dim": 8, "image_shape": (8, 8), "epochs": 60}
    model = ConvAutoencoder(**options).fit(rows)
    spread = -np.square((rows - rows.mean(0)) / 16).mean()
    assert model.score(rows) > 0.5 * spread
    assert model.score_samples(np.random.default_rng(0).random((50, 64)) * 16).mean() < model.score(rows)


def test_pipeline_grid_search_and_clone() -> None:
    search = GridSearchCV(
        make_pipeline(ConvAutoencoder(**SMALL, image_shape=(8, 8)), LogisticRegression(max_iter=200)),
        {"convautoencoder__latent_dim": [2, 4]},
        cv=2,
    )
    search.fit(DIGITS.data[:120], DIGITS.target[:120])
    assert search.best_params_["convautoencoder__latent_dim"] in (2, 4)
    assert clone(search.best_estimator_[0]).get_params() == search.best_estimator_[0].get_params()


def test_names_and_frames() -> None:
    pytest.importorskip("pandas")
    model = ConvAutoencoder(**SMALL).set_output(transform="pandas").fit(DIGITS.data[:30])
    assert list(model.transform(DIGITS.data[:30]).columns) == [f"convautoencoder{unit}" for unit in range(3)]


def test_wrong_use_gets_a_sentence() -> None:
    with pytest.raises(UserError, match=r"rows of 64 values are no images of the shape \(7, 7\)"):
        ConvAutoencoder(**SMALL, image_shape=(7, 7)).fit(DIGITS.data[:10])
    with pytest.raises(NotFittedError):
        ConvAutoencoder().transform(DIGITS.data[:10])
    model = ConvAutoencoder(**SMALL).fit(DIGITS.images[:20])
    with pytest.raises(UserError, match="but fit saw"):
        model.transform(np.zeros((2, 8, 9)))
    with pytest.raises(UserError, match="codes have the shape"):
        model.inverse_transform(np.zeros((2, 5)))
