"""The detector among scikit-learn's estimators: its own battery, and what that does not ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentia import AutoencoderDetector, ConvAutoencoder
from latentia.core.errors import UserError

DIGITS = load_digits()
TINY = {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0}
PRETRAINING: dict[str, Any] = {"latent_dim": 3, "epochs": 10, "learning_rate": 0.01, "options": TINY}
TURNED = np.random.default_rng(0).permuted(DIGITS.data[:100], axis=1)  # the same greys at other places


@pytest.fixture(scope="module")
def pretrained() -> ConvAutoencoder:
    return ConvAutoencoder(8, image_shape=(8, 8), epochs=30).fit(DIGITS.data[1000:])


@pytest.fixture(scope="module")
def fitted(pretrained: ConvAutoencoder) -> AutoencoderDetector:
    return AutoencoderDetector(pretrained=pretrained, image_shape=(8, 8), calibration=0.5).fit(DIGITS.data[:600])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderDetector(pretraining=PRETRAINING)])
def test_scikit_learns_own_battery(estimator: Any, check: Any) -> None:
    check(estimator)


def test_odd_images_are_flagged_and_normal_ones_as_seldom_as_asked(fitted: AutoencoderDetector) -> None:
    new = DIGITS.data[600:1000]
    assert roc_auc_score([1] * 400 + [0] * 100, fitted.score_samples(np.concatenate([new, TURNED]))) > 0.95
    assert fitted.false_alarms_ == 0.05 and len(fitted.calibration_scores_) == 300
    assert (fitted.predict(TURNED) == -1).mean() > 0.7
    assert (fitted.predict(new) == -1).mean() < 0.1
    strict = clone(fitted).set_params(false_alarms=0.01).fit(DIGITS.data[:600])
    assert strict.offset_ < fitted.offset_


def test_the_threshold_is_where_p_values_reach_the_level(fitted: AutoencoderDetector) -> None:
    images = np.concatenate([DIGITS.data[600:700], TURNED])
    flagged = fitted.predict(images) == -1
    assert np.array_equal(flagged, fitted.p_values(images) <= fitted.false_alarms_)
    assert np.array_equal(fitted.decision_function(images), fitted.score_samples(images) - fitted.offset_)
    assert fitted.heat_maps(images).shape == (200, 8, 8)


@pytest.mark.parametrize("method", ["reconstruction", "density", "masked"])
def test_every_method(pretrained: ConvAutoencoder, method: str) -> None:
    model = AutoencoderDetector(pretrained=pretrained, method=method, image_shape=(8, 8))
    labels = model.fit_predict(DIGITS.data[:300])
    assert set(labels.tolist()) <= {-1, 1} and (labels == -1).mean() < 0.15


@pytest.mark.parametrize("shape", [(40, 9, 8), (40, 9, 8, 3), (40, 2, 9, 8)])
def test_images_of_every_layout(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    model = AutoencoderDetector(pretraining={"epochs": 1, "latent_dim": 2}).fit(images)
    assert model.predict(images).shape == (40,)
    assert model.heat_maps(images[:5]).shape == (5, 9, 8)
    assert model.false_alarms_ == pytest.approx(1 / 9), "eight calibration images give no smaller share"


def test_what_was_set_aside_was_not_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    fit = ConvAutoencoder.fit
    monkeypatch.setattr(ConvAutoencoder, "fit", lambda self, X, y=None: (seen.append(len(X)), fit(self, X))[1])
    model = AutoencoderDetector(0.1, pretraining=PRETRAINING, image_shape=(8, 8), calibration=0.25).fit(
        DIGITS.data[:200]
    )
    assert seen == [150] and len(model.calibration_scores_) == 50 and model.normal_.count == 150


def test_it_can_be_piped_searched_and_kept(pretrained: ConvAutoencoder, tmp_path: Path) -> None:
    both = np.concatenate([DIGITS.data[:200], TURNED[:50]])
    truth = np.array([1] * 200 + [-1] * 50)
    model = AutoencoderDetector(pretrained=pretrained, image_shape=(8, 8))
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), model),
        {"autoencoderdetector__method": ["density", "masked"]},
        scoring=lambda fitted, X, y: roc_auc_score(y, fitted.score_samples(X)),
        cv=[(np.arange(0, 150), np.arange(150, 250))],
    )
    search.fit(both, truth)
    assert search.best_params_ == {"autoencoderdetector__method": "masked"}
    joblib.dump(search.best_estimator_, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert np.array_equal(again.decision_function(both), search.best_estimator_.decision_function(both))


def test_what_cannot_be_is_said_in_a_sentence(pretrained: ConvAutoencoder) -> None:
    given = {"pretrained": pretrained, "image_shape": (8, 8)}
    with pytest.raises(
        UserError, match=r"20 calibration images are too few for 0.01 .* set more than the share 0.2 of X"
    ):
        AutoencoderDetector(0.01, **given).fit(DIGITS.data[:100])
    with pytest.raises(UserError, match=r"the rate of false alarms is 2, but it must lie between 0 and 1"):
        AutoencoderDetector(2, **given).fit(DIGITS.data[:100])
    with pytest.raises(UserError, match="there is no method called 'maskd'; did you mean 'masked'"):
        AutoencoderDetector(method="maskd", **given).fit(DIGITS.data[:100])
    with pytest.raises(UserError, match="calibration is 0, but the threshold is set by images set aside"):
        AutoencoderDetector(calibration=0, **given).fit(DIGITS.data[:100])
    with pytest.raises(UserError, match=r"calibration is 1.5, but it is the share"):
        AutoencoderDetector(calibration=1.5, **given).fit(DIGITS.data[:100])
    with pytest.raises(UserError, match=r"3 image\(s\) to train on, and calibration 0.9 sets 2 of them aside: too few"):
        AutoencoderDetector(calibration=0.9, **given).fit(DIGITS.data[:3])
