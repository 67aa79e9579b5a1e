"""Sample quality: known distances, planted copies, planted loss of variety, and real images as the floor."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.linalg import sqrtm
from sklearn.neighbors import NearestNeighbors

from latentia import finetune, load, open_run, train
from latentia.api import judge as judge_run
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.runs import Run
from latentia.tasks.judge import judge
from latentia.tasks.sample_scores import coverage, features_of, frechet, nearest

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("runs")
    source = train("digits", "vae", runs=folder, epochs=40, latent_dim=6, figures=False, quiet=True, widths="8x16")
    labels = {"labels": 300, "epochs": 3, "runs": folder, "figures": False, "quiet": True}
    return source, finetune(source, "digits", **labels)


def test_frechet_is_that_of_the_formula() -> None:
    first = RANDOM.normal(size=(400, 5)) @ RANDOM.normal(size=(5, 5))
    second = RANDOM.normal(size=(300, 5)) @ RANDOM.normal(size=(5, 5)) + 1
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    between = np.square(first.mean(0) - second.mean(0)).sum()
    assert frechet(first, second) == pytest.approx(between + np.trace(one + two - 2 * sqrtm(one @ two).real), rel=1e-6)
    assert frechet(second, first) == pytest.approx(frechet(first, second), rel=1e-6)
    assert frechet(first, first) == pytest.approx(0, abs=1e-6)
    assert frechet(first, first + np.array([3.0, 0, 0, 0, 0])) == pytest.approx(9)
    flat = np.hstack([first, np.zeros((400, 2))])  # features that never fire
    assert frechet(flat, flat * 2) == pytest.approx(frechet(first, first * 2))


def test_precision_and_recall_are_those_of_a_plain_reading_of_the_paper() -> None:
    real, made = RANDOM.normal(size=(150, 3)), RANDOM.normal(size=(120, 3)) * 1.5
    radii = NearestNeighbors(n_neighbors=4).fit(real).kneighbors(real)[0][:, 3]  # the first is the point itself
    inside = [bool((np.linalg.norm(real - point, axis=1) <= radii).any()) for point in made]
    assert coverage(made, real) == pytest.approx(np.mean(inside))
    assert coverage(real, real) == 1
    assert coverage(real + 100, real) == 0
    assert np.isnan(coverage(made, real[:3]))


def test_the_nearest_is_found_in_blocks_and_a_copy_is_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    from latentia.tasks import sample_scores

    monkeypatch.setattr(sample_scores, "BLOCK", 500)
    stock = RANDOM.integers(0, 256, (90, 1, 4, 5), dtype=np.uint8)
    asked = RANDOM.integers(0, 256, (20, 1, 4, 5), dtype=np.uint8)
    asked[7] = stock[63]
    distances, which = nearest(asked, stock, from_array(stock).format.to_unit)
    apart = np.square((asked[:, None].astype(float) - stock[None]) / 255).mean(axis=(2, 3, 4))
    assert np.array_equal(which, apart.argmin(1))
    assert np.allclose(distances, apart.min(1), atol=1e-6)
    assert (distances[7], which[7]) == (0, 63)


def test_faults_are_told(runs: tuple[Run, Run]) -> None:
    classifier = runs[1].classifier
    pixels = load("digits", "train").pixels
    training, test, new = (from_array(pixels[start : start + 400]) for start in (0, 400, 800))
    assert features_of(classifier, new).shape == (400, 256)
    good = judge(new, test, training, classifier)
    assert good.rows[0].frechet == pytest.approx(good.rows[1].frechet, rel=0.5)  # real images, both
    assert good.rows[0].precision > 0.6
    assert good.rows[0].recall > 0.6
    assert abs(good.nearer - 0.5) < 4 * good.nearer_error
    assert good.close < 0.05
    assert good.nearer_error == pytest.approx(np.sqrt(801 / (12 * 400 * 400)))

    copies = judge(training, test, training, classifier)
    assert copies.close == 1
    assert copies.nearer > 0.99
    assert "400 of 400 new images are training images to the bit" in str(copies)
    assert (copies.distances == 0).all()

    one_class = from_array(np.repeat(pixels[800:810], 40, axis=0))  # ten images again and again
    poor = judge(one_class, test, training, classifier)
    assert poor.rows[0].recall < 0.3 < poor.rows[0].precision
    assert poor.rows[0].frechet > 2 * good.rows[0].frechet

    noise = judge(from_array(RANDOM.integers(0, 256, new.pixels.shape, dtype=np.uint8)), test, training, classifier)
    assert noise.rows[0].precision < 0.05
    assert noise.rows[0].frechet > 5 * good.rows[0].frechet


def test_from_the_command_line(runs: tuple[Run, Run], tmp_path: Path) -> None:
    source, classifier = runs
    words = [
        "judge",
        str(source.path),
        "--features",
        str(classifier.path),
        "-n",
        "150",
        "-o",
        str(tmp_path / "copies.png"),
    ]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.exception
    assert (
        f"features: {classifier.path.name}, a classifier trained on digits with 300 labels (256 numbers)" in done.stdout
    )
    assert "150 images are few for 256 features" in done.stdout
    assert (tmp_path / "copies.png").stat().st_size > 10_000
    found = judge_run(source, classifier, n=150)
    assert str(found) in done.stdout
    assert found.name == "vae on digits" and found.figure().axes
    html = found._repr_html_()
    assert "<pre" in html and html.count("<img") >= 1, "a notebook shows it, with the new images"
    assert found.to_json()["rows"][0]["name"] == "new images"


@pytest.mark.parametrize("preset", ["cae", "dae", "vq-vae", "wae-mmd"])
def test_models_without_a_posterior_are_judged_too(preset: str, runs: tuple[Run, Run], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 2, "figures": False, "quiet": True, "widths": "8x16", "latent_dim": 4}
    some = load("digits", "train").select(range(300))
    run = train(some, preset, runs=tmp_path, **settings)
    found = judge_run(run, runs[1], some, split="train", n=30)
    assert found.count == 30
    assert np.isfinite(found.rows[0].frechet)


def test_what_cannot_be_judged_is_said_in_a_sentence(runs: tuple[Run, Run]) -> None:
    source, classifier = runs
    with pytest.raises(
        UserError, match=r"is no classifier, and its features say little: make one with latentia finetune"
    ):
        judge_run(source, source)
    some = load("digits", "train").select(range(50))
    with pytest.raises(UserError, match="digits has 5 images on its train split, but 20 are needed"):
        judge(some.select(range(5)), some, some, classifier.classifier)
    with pytest.raises(UserError, match="10 images of each set are asked for, but 20 are needed"):
        judge(some, some, some, classifier.classifier, most=10)
    colour = dataclasses.replace(some, pixels=np.repeat(some.pixels, 3, axis=1), source="colours")
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but colours has 3"):
        judge(colour, colour, colour, classifier.classifier)
    assert open_run(source.path).kind == "autoencoder"
