from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from latentia import load, open_run, train
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.presets import PRESETS
from latentia.runs import Run
from latentia.tasks.anomaly_scores import SCORES, Normal, hidden_cells

QUICK = {"quiet": True, "figures": False}
NOISE = np.random.default_rng(0).integers(0, 17, (30, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("digits", runs=tmp_path_factory.mktemp("runs"), epochs=30, learning_rate=5e-3, **QUICK)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    digits = load("digits")
    return (NOISE.astype(np.float32) / 16 * digits.format.high).astype(digits.pixels.dtype)


@pytest.mark.parametrize("score", SCORES)
def test_noise_is_less_normal_than_digits(run: Run, noise: np.ndarray, score: str) -> None:
    normal, odd = run.score_samples(run.test_images(), score), run.score_samples(noise, score)
    assert normal.dtype == np.float64 and np.isfinite(normal).all()
    # the AUROC; codes of noise often lie among those of images, which is why density alone is the weakest
    assert np.mean(odd[:, None] < normal) > (0.7 if score == "density" else 0.97)


def test_digits_are_flagged_as_often_as_was_asked_and_noise_always(run: Run, noise: np.ndarray) -> None:
    found = run.detect(run.images("digits", "test"), false_alarms=0.05)
    assert found.calibration == len(found.images) and found.flagged.mean() <= 0.06
    assert set(found.labels.tolist()) == {1, -1}
    noisy = run.detect(noise, false_alarms=0.05)
    assert noisy.flagged.mean() > 0.9
    assert run.detect(noise, fdr=0.1).flagged.mean() > 0.9


def test_what_was_learned_is_told(run: Run) -> None:
    found = run.detect("digits")
    assert found.learned.sum() == len(found.images) - len(run.test_images())
    assert "nothing is promised for them" in str(found) and "no threshold" not in str(found).splitlines()[0]


def test_the_hot_place_is_where_the_fault_is(run: Run) -> None:
    images = load("digits", "test").select(np.arange(20))
    spoilt = images.pixels.copy()
    spoilt[:, :, :2, :2] = spoilt.max()
    heat = run.heat_maps(images.with_pixels(spoilt))
    corner, rest = heat[:, :2, :2].mean(), heat[:, 3:, 3:].mean()
    assert corner > 3 * rest


def test_each_pixel_is_hidden_once() -> None:
    for size in ((28, 28), (9, 7), (1, 5)):
        hidden = np.sum([hidden_cells(*size, number).numpy() for number in range(4)], axis=0)
        assert (hidden == 1).all()


def test_what_is_normal_is_kept_and_made_anew_for_another_model(run: Run) -> None:
    first = run.learn_normal()
    again = open_run(run.path).learn_normal()
    assert np.array_equal(first.codes, again.codes) and np.array_equal(first.usual, again.usual)
    assert Normal.kept(run.path / "normal.safetensors", "another") is None
    (run.path / "normal.safetensors").write_bytes(b"broken")
    assert np.array_equal(open_run(run.path).learn_normal().codes, first.codes)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_detects(preset: str, tmp_path: Path) -> None:
    images = from_array(np.random.default_rng(0).integers(0, 256, (24, 3, 12, 9), dtype=np.uint8))
    small = {"latent_dim": 3} if preset not in ("vq-vae", "fsq", "winner-take-all") else {}
    try:
        made = train(images, preset, runs=tmp_path, epochs=1, **QUICK, options=small)
    except UserError as error:
        pytest.skip(str(error))
    made.learn_normal(images)
    fresh = images.with_pixels(255 - images.pixels).select(np.arange(20))
    found = made.detect(images, calibrate=fresh, false_alarms=0.1)
    assert np.isfinite(found.scores).all() and found.p is not None and made.heat_maps(images).shape == (24, 12, 9)


def test_the_command_on_a_folder_of_photographs(tmp_path: Path) -> None:
    folder, random = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    for number in range(30):
        pixels = np.full((20 + number % 3, 24, 3), 90 + number, dtype=np.uint8) + random.integers(0, 9, (1, 24, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"p{number:02}.jpg")
    made = train(folder, runs=tmp_path, epochs=2, **QUICK)
    options = ["detect", str(made.path), str(folder), "-o", str(tmp_path / "odd"), "--heat-maps"]
    result = CliRunner().invoke(cli, options, catch_exceptions=False)
    assert result.exit_code == 0 and result.stdout.splitlines()[-1] == str(tmp_path / "odd")
    with (tmp_path / "odd" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30 and float(rows[0]["score"]) <= float(rows[-1]["score"])
    with Image.open(tmp_path / "odd" / "maps" / "p01.jpg") as heat:
        assert heat.size == (24, 21)
    assert (tmp_path / "odd" / "oddest.png").stat().st_size > 5000
    refused = CliRunner().invoke(cli, [*options, "--false-alarms", "0.01"])
    assert "calibration images are too few for 0.01 false alarms" in str(refused.exception)


def test_bad_requests_get_one_sentence(run: Run, noise: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no score called 'densty'; did you mean 'density'"):
        run.detect(noise, score="densty")
    with pytest.raises(UserError, match="different promises: ask for one of them"):
        run.detect(noise, false_alarms=0.1, fdr=0.1)
    with pytest.raises(
        UserError, match="was trained on or chosen by all images of digits, and a threshold set by them"
    ):
        run.detect(noise, calibrate=run.images("digits", "train"), false_alarms=0.1)
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but array has 3"):
        run.detect(np.zeros((2, 3, 8, 8), np.uint8))
    in_memory = train(load("digits").select(np.arange(40)), runs=tmp_path, epochs=1, **QUICK)
    in_memory.learn_normal(load("digits").select(np.arange(40)))
    with pytest.raises(
        UserError, match=r"was trained on images in memory, which are not kept, so .*calibrate=…, such as"
    ):
        in_memory.detect(noise, false_alarms=0.1)
    with torch_nan(in_memory), pytest.raises(UserError, match="is not finite, so nothing can be detected"):
        in_memory.detect(noise)


class torch_nan:  # noqa: N801
    """A model whose codes are not numbers, for a while."""

    def __init__(self, run: Run) -> None:
        self.weights = next(run.model.bottleneck.parameters()).data

    def __enter__(self) -> None:
        self.kept = self.weights.clone()
        self.weights.fill_(float("nan"))

    def __exit__(self, *_: object) -> None:
        self.weights.copy_(self.kept)
