"""What the scores are made of, by hand and with planted faults."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from latentia.data.imageset import ImageSet, from_array
from latentia.presets import design
from latentia.tasks import anomaly_scores
from latentia.tasks.anomaly_scores import Normal, learn_normal, score
from latentia.tasks.drift import drift
from latentia.tasks.looks import detail_of

RANDOM = np.random.default_rng(0)


def model_of(images: ImageSet, preset: str = "cae", **options: object):
    return design(preset, options).architecture.build(images.format, seed=0).eval()


def stripes(count: int, contrast: float = 0.8) -> np.ndarray:
    """Return images ``[N, 16, 16]`` of upright waves, a little different each."""
    shift = RANDOM.random((count, 1, 1)) * 6
    waves = np.sin(np.arange(16)[None, None] * 0.8 + shift) * contrast * RANDOM.uniform(0.5, 1, (count, 1, 1))
    return (0.5 + 0.5 * np.repeat(waves, 16, axis=1)).astype(np.float32)


def test_the_law_of_errors_is_found_again() -> None:
    detail = RANDOM.normal(-3, 1, 4000)
    errors = np.exp(-5 + 0.7 * detail + RANDOM.normal(0, 0.2, 4000))
    begin, rise, spread, mean = anomaly_scores._law(errors, detail)
    assert (begin, rise, spread) == pytest.approx((-5, 0.7, 0.2), abs=0.03)
    assert mean == pytest.approx(errors.mean())
    falling = anomaly_scores._law(np.exp(-5 - 0.7 * detail), detail)
    assert falling[1] == 0, "more detail never asks for less error"
    assert anomaly_scores._law(np.full(5, 0.1), np.full(5, -3.0))[1] == 0


def test_detail_is_the_mean_squared_step() -> None:
    images = torch.zeros(2, 1, 2, 3)
    images[1, 0, 0, 0] = 1.0
    assert detail_of(images).tolist() == [0.0, pytest.approx(2 / 6)]
    assert detail_of(torch.ones(1, 3, 1, 1)).tolist() == [0.0], "one pixel has no neighbours"


def test_a_code_is_not_its_own_neighbour() -> None:
    anchors = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [13.0]], dtype=np.float32)
    find = anomaly_scores._neighbours(anchors)
    assert set(find(anchors[:1], np.array([0]))[0]) == {1, 2, 3, 4, 5}
    assert set(find(anchors[:1], None)[0]) == {0, 1, 2, 3, 4}
    assert set(find(np.array([[0.1]]), np.array([-1]))[0]) == {0, 1, 2, 3, 4}
    twins = anomaly_scores._neighbours(np.zeros((3, 2), dtype=np.float32))
    assert set(twins(np.zeros((1, 2)), np.array([1]))[0]) == {0, 2}


@pytest.mark.parametrize(("preset", "options"), [("cae", {"latent_dim": 3}), ("dae", {"latent_dim": 2, "widths": "8"})])
def test_what_is_learned_is_kept_whole(preset: str, options: dict[str, object], tmp_path) -> None:
    images = from_array(stripes(30))
    model = model_of(images, preset, **options)
    normal = learn_normal(model, images)
    assert normal.anchors.shape == (30, *model.code_shape) and normal.laws.shape == (2, 4)
    normal.save(tmp_path / "n.safetensors", "me")
    again = Normal.kept(tmp_path / "n.safetensors", "me")
    assert again is not None
    for name in anomaly_scores.SCORES:
        found = score(model, images, name, normal)
        assert np.isfinite(found).all() and np.array_equal(found, score(model, images, name, again))


def test_whole_codes_are_kept_as_far_as_memory_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    images = from_array(stripes(40))
    model = model_of(images, "dae", latent_dim=2, widths="8")
    monkeypatch.setattr(anomaly_scores, "MOST_VALUES", 10 * model.latent_dim)
    normal = learn_normal(model, images)
    assert len(normal.anchors) == 10 and len(normal.codes) == 40
    assert np.isfinite(score(model, images, "combined", normal)).all()


def test_a_network_that_copies_anything_is_held_to_its_neighbours() -> None:
    """A spatial code that is the image itself: its reconstruction error says nothing, the neighbours' does."""
    images = from_array(stripes(80))
    model = model_of(images, "dae", latent_dim=1, widths="4")
    model.encode = lambda pixels, noise=None: SimpleNamespace(z=pixels, vector=_vector(pixels))  # type: ignore
    model.decode = lambda z, size=None: z  # type: ignore[method-assign]
    normal = anomaly_scores.Normal(
        np.zeros((1, 16, 16), np.float32),
        np.full((16, 16), 1e-3, np.float32),
        np.zeros((80, 1), np.float32),
        images.pixels.astype(np.float32),
        np.array([[np.log(1e-6), 0, 1, 1e-6], [np.log(0.05), 0, 0.5, 0.05]]),
        np.array([0.0]),
        80,
    )
    odd = from_array(stripes(20).transpose(0, 2, 1).copy())  # lying down
    ours, theirs = (score(model, each, "neighbours", normal) for each in (from_array(stripes(20)), odd))
    assert np.mean(theirs[:, None] < ours) > 0.7
    whole = [score(model, each, "combined", normal) for each in (from_array(stripes(20)), odd)]
    assert np.mean(whole[1][:, None] < whole[0]) > 0.7


def _vector(pixels: Tensor):
    return lambda pool=False: pixels.mean(dim=(2, 3)) if pool else pixels.flatten(1)


def test_an_image_of_little_detail_does_not_look_normal_for_that() -> None:
    images = from_array(stripes(200))
    model = model_of(images, latent_dim=3)
    normal = learn_normal(model, images)
    assert normal.laws[0, 1] > 0.3, "errors rise with contrast here"
    faint = from_array(stripes(100, contrast=0.3))
    errors = score(model, faint, "reconstruction", normal)
    usual = score(model, images, "reconstruction", normal)
    assert np.mean(errors) > np.mean(usual), "by its error alone it looks better than what was learned"
    assert np.mean(score(model, faint, "combined", normal)) < np.mean(score(model, images, "combined", normal)) - 1


def test_drift_encodes_each_set_no_more_often_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    new, old = (from_array(random.integers(0, 256, (30, 8, 8), dtype=np.uint8)) for _ in range(2))
    model = model_of(old, latent_dim=3)
    normal, calls, encode = learn_normal(model, old), [], model.encode
    monkeypatch.setattr(model, "encode", lambda pixels: calls.append(len(pixels)) or encode(pixels))
    found = drift(model, new, old, normal)
    assert sum(calls) == 3 * 60, "codes, reconstruction and combined; density goes by the codes"
    assert np.array_equal(found.scores["density"][0], score(model, new, "density", normal))
