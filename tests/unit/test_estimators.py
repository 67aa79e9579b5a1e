"""scikit-learn's own battery, and what it does not ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentia import ConvAutoencoder, DenoisingAutoencoder, VariationalAutoencoder
from latentia.core.errors import UserError

DIGITS = load_digits()
SMALL: dict[str, Any] = {
    "latent_dim": 3,
    "epochs": 2,
    "options": {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0},
}
SMALL_DENOISER: dict[str, Any] = {"latent_dim": 4, "epochs": 2, "options": {"encoder.widths": "8,8"}}
EVERY = [ConvAutoencoder(**SMALL), DenoisingAutoencoder(**SMALL_DENOISER), VariationalAutoencoder(**SMALL)]
every_autoencoder = pytest.mark.parametrize("made", EVERY, ids=lambda made: type(made).__name__)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(EVERY)
def test_scikit_learns_own_battery(estimator: Any, check: Any) -> None:
    check(estimator)


@every_autoencoder
@pytest.mark.parametrize("layout", ["rows", "rows of CHW", "rows of HWC", "NHW", "NCHW", "NHWC", "uint8", "uint16"])
def test_every_layout_of_images_comes_back_as_it_went_in(made: Any, layout: str) -> None:
    rows = DIGITS.data[:40]
    colour = np.stack([DIGITS.images[:40] * factor for factor in (1, 2, 3)], axis=-1)  # NHWC, three unlike channels
    given = {
        "rows": rows,
        "rows of CHW": np.moveaxis(colour, -1, 1).reshape(40, -1),
        "rows of HWC": colour.reshape(40, -1),
        "NHW": DIGITS.images[:40],
        "NCHW": np.moveaxis(colour, -1, 1),
        "NHWC": colour.astype(np.float32),
        "uint8": (DIGITS.images[:40] * 15).astype(np.uint8),
        "uint16": (colour * 1000).astype(np.uint16),
    }[layout]
    shape = {"rows": (8, 8), "rows of CHW": (3, 8, 8), "rows of HWC": (8, 8, 3)}.get(layout)
    model = clone(made).set_params(image_shape=shape).fit(given)
    codes = model.transform(given)
    assert codes.shape == (40, model.model_.latent_dim)
    assert len(model.get_feature_names_out()) == codes.shape[1]
    channels = 1 if layout in ("rows", "NHW", "uint8") else 3
    assert model.model_.format.shape == (channels, 8, 8)
    answers = [model.inverse_transform(codes), model.reconstruct(given), model.sample(40)]
    for back in [*answers, *([model.predict(given)] if hasattr(model, "predict") else [])]:
        assert back.shape == given.shape
        assert back.dtype == given.dtype
        low, high = (given.min(), given.max()) if given.dtype.kind == "f" else (0, np.iinfo(given.dtype).max)
        assert back.min() >= low
        assert back.max() <= high
    assert model.score_samples(given).shape == (40,)
    assert model.score(given) == pytest.approx(model.score_samples(given).mean())


def test_channels_keep_their_places_in_every_layout() -> None:
    pixels = np.zeros((30, 8, 8, 3), dtype=np.float32)
    pixels[..., 1] = 0.5
    pixels[..., 2] = 1.0
    for given, shape in [
        (pixels, None),
        (pixels.reshape(30, -1), (8, 8, 3)),
        (np.moveaxis(pixels, -1, 1), None),
        (np.ascontiguousarray(np.moveaxis(pixels, -1, 1)).reshape(30, -1), (3, 8, 8)),
    ]:
        model = ConvAutoencoder(**SMALL, image_shape=shape).fit(given)
        assert np.allclose(model.reconstruct(given), given, atol=0.1)  # a decoder begins at each channel's mean


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


@every_autoencoder
def test_joblib_and_cross_validation(made: Any, tmp_path: Path) -> None:
    rows = DIGITS.data[:60]
    model = clone(made).set_params(image_shape=(8, 8))
    scores = cross_val_score(model, rows, cv=2)
    assert np.isfinite(scores).all()
    model.fit(rows)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert np.array_equal(again.transform(rows), model.transform(rows))
    assert np.array_equal(again.partial_fit(rows).transform(rows), model.partial_fit(rows).transform(rows))


@every_autoencoder
def test_scores_do_not_depend_on_the_company(made: Any) -> None:
    model = clone(made).set_params(image_shape=(8, 8)).fit(DIGITS.data[:60])
    whole = model.score_samples(DIGITS.data[:20])
    order = np.random.default_rng(0).permutation(20)
    assert np.allclose(model.score_samples(DIGITS.data[:20][order]), whole[order], rtol=1e-5)


def test_a_denoiser_takes_noise_away() -> None:
    clean = (DIGITS.images / 16).astype(np.float32)
    noisy = clean * (np.random.default_rng(0).random(clean.shape) > 0.5)
    model = DenoisingAutoencoder(16, epochs=30, options={"encoder.widths": "16,32"}).fit(clean[:800])
    restored = model.predict(noisy[1000:])
    assert np.square(restored - clean[1000:]).mean() < 0.6 * np.square(noisy[1000:] - clean[1000:]).mean()
    assert np.array_equal(restored, model.denoise(noisy[1000:]))
    strange = np.random.default_rng(1).random((100, 8, 8)).astype(np.float32)
    assert model.score_samples(strange).mean() < model.score(clean[1000:])


def test_a_variational_autoencoder_scores_in_nats_and_draws_from_its_prior() -> None:
    binary = (DIGITS.images > 7).astype(np.float32)
    model = VariationalAutoencoder(8, epochs=40, options={"encoder.widths": "8,16"}, learning_rate=5e-3).fit(
        binary[:800]
    )
    assert -64 * np.log(2) < model.score(binary[1000:]) < 0  # better than a coin for each pixel
    assert model.score_samples(1 - binary[1000:]).mean() < model.score(binary[1000:]) - 20
    drawn = model.sample(200, random_state=1)
    assert np.array_equal(drawn[:50], model.sample(50, random_state=1))
    assert np.abs(drawn.mean(0) - binary.mean(0)).mean() < 0.1


@pytest.mark.parametrize("preset", ["sparse", "beta-vae", "vae:beta=4", "contractive", "wae-mmd"])
def test_other_presets(preset: str) -> None:
    model = ConvAutoencoder(preset=preset, epochs=1, options=SMALL["options"]).fit(DIGITS.images[:30])
    assert model.sample(3).shape == (3, 8, 8)
    assert model.transform(DIGITS.images[:5]).shape[0] == 5


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
    with pytest.raises(UserError, match="'sparse' has no posterior, so it is no variational autoencoder"):
        VariationalAutoencoder(preset="sparse").fit(DIGITS.images[:20])
    with pytest.raises(UserError, match="'cae' corrupts nothing, so it learns to undo nothing"):
        DenoisingAutoencoder(preset="cae").fit(DIGITS.images[:20])
    bytes_only = ConvAutoencoder(**SMALL).fit(DIGITS.images[:20].astype(np.uint8))
    with pytest.raises(UserError, match="float64 values that are no uint8, but fit saw uint8"):
        bytes_only.transform(DIGITS.images[:20] / 16)
    assert np.array_equal(
        bytes_only.transform(DIGITS.images[:9]), bytes_only.transform(DIGITS.images[:9].astype(np.uint8))
    )
    with pytest.raises(UserError, match=r"X has the shape \(2, 2, 2, 2, 2\)"):
        ConvAutoencoder().fit(np.zeros((2, 2, 2, 2, 2)))
    with pytest.raises(UserError, match="codes have the shape"):
        model.inverse_transform(np.zeros((2, 5)))
