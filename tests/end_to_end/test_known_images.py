"""Images that a run has learned from are known again, under whatever name and from whatever place they come."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentia import crossvalidate, finetune, load, open_run, train
from latentia.api.studies import CrossValidationResult
from latentia.core.errors import UserError
from latentia.runs import Run
from latentia.training.learned import FILE

QUICK = {"quiet": True, "epochs": 1, "encoder__widths": "4,8", "latent_dim": 4}
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (60, 8, 8), dtype=np.uint8)
NEW = RANDOM.integers(0, 256, (30, 8, 8), dtype=np.uint8)
SPELLINGS = ["./photos", "photos/", "../here/photos", "absolute", "link", "moved", "array", "part of an array"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "here"
    for kind in ("a", "b"):
        (place / "photos" / kind).mkdir(parents=True)
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(place / "photos" / "ab"[number % 2] / f"{number:02}.png")
    (place / "link").symlink_to(place / "photos")
    shutil.copytree(place / "photos", place / "moved")
    return place


@pytest.fixture(scope="module")
def run(here: Path) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        return train("photos", runs=here / "runs", figures=False, **QUICK)


@pytest.fixture(scope="module")
def folded(here: Path) -> CrossValidationResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        return crossvalidate("photos", folds=3, runs=here / "runs", final=False, **QUICK)


def spelt(here: Path, how: str) -> str | np.ndarray:
    arrays = {"array": slice(None), "part of an array": slice(10, None)}
    if how in arrays:
        return load(here / "photos").pixels[arrays[how]]
    return str(here / "photos") if how == "absolute" else how


@pytest.mark.parametrize("how", SPELLINGS)
def test_what_was_learned_is_known_however_it_is_spelt(
    here: Path, run: Run, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    names = {*run.training_images().names, *run.images("photos", "validation").names}
    data = spelt(here, how)
    own = load("photos").names[10:] if how.startswith("part") else load("photos").names
    found = run.detect(data)
    assert found.learned.tolist() == [name in names for name in own]
    assert 0 < found.learned.sum() < len(own) and not run.detect(NEW).learned.any()

    images = run.images(data)
    assert run.detect(NEW, calibrate=data).calibration == (~found.learned).sum()
    assert f"{found.learned.sum()} left out" in str(run.detect(NEW, calibrate=data, false_alarms=0.5))
    with pytest.raises(UserError, match="was trained on or chosen by all images of"):
        run.detect(NEW, calibrate=images.select(np.flatnonzero(found.learned)))


def test_the_data_need_not_be_there_any_more(here: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(here / "photos", tmp_path / "photos")
    other = train(tmp_path / "photos", runs=tmp_path, figures=False, **QUICK)
    other.learn_normal()
    shutil.rmtree(tmp_path / "photos")
    assert other.detect(here / "photos", calibrate=NEW).learned.sum() > 50


def test_a_run_on_arrays_knows_what_it_learned(tmp_path: Path) -> None:
    made = train(PIXELS, runs=tmp_path, calibration=0.3, figures=False, **QUICK)
    made.learn_normal(PIXELS)
    apart = made.calibration_images(PIXELS)
    part = made.detect(PIXELS[7:30], calibrate=PIXELS)
    assert part.calibration == len(apart) > 10
    names = {int(name) for name in apart.names}
    assert part.learned.tolist() == [number not in names for number in range(7, 30)]
    with pytest.raises(UserError, match="was trained on or chosen by all images of"):
        made.detect(NEW, calibrate=PIXELS[sorted(set(range(60)) - names)])
    assert not made.has_learned(NEW).any() and not made.has_learned(apart).any()


def test_runs_of_earlier_versions_go_by_name_and_pixels(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    kept = (run.path / FILE).read_bytes()
    known = run.detect("photos").learned
    try:
        (run.path / FILE).unlink()
        assert np.array_equal(run.detect("./photos").learned, known)
        (run.path / FILE).write_bytes(b"broken")
        assert np.array_equal(run.detect("moved").learned, known)
    finally:
        (run.path / FILE).write_bytes(kept)


@pytest.mark.parametrize("how", ["./photos", "absolute", "link", "moved"])
def test_a_classifier_is_not_judged_by_labels_that_it_learned(
    here: Path, run: Run, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    made = finetune(run, "photos", labels=10, epochs=1, quiet=True, figures=False, runs=here / "runs")
    judged = made.prediction(spelt(here, how)).judgement()
    assert judged is not None and judged.count == 50


@pytest.mark.parametrize("how", SPELLINGS)
def test_images_of_a_cross_validation_are_judged_by_models_that_have_not_seen_them(
    here: Path, folded: CrossValidationResult, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    images = open_run(folded.folds[0].path).images(spelt(here, how))
    names, own_scores = load("photos").names[-len(images) :], folded.detector.scores()
    scores = {name: own_scores[place] for place, name in enumerate(folded.images.names)}
    found = folded.detect(images)
    own = [name in scores for name in names]
    assert found.among.tolist() == own and sum(own) >= 40
    assert found.scores[own].tolist() == [scores[name] for name in names if name in scores]
    assert not folded.detect(NEW).among.any()


def test_a_calibration_image_has_its_own_score_and_is_ranked_among_the_others(tmp_path: Path) -> None:
    made = train("digits", runs=tmp_path, calibration=0.1, figures=False, **QUICK)
    apart = made.calibration_images()
    whole = made.detect(apart)
    assert whole.among.all() and whole.p is not None
    assert sorted(whole.p.tolist()) == pytest.approx([(rank + 1) / len(apart) for rank in range(len(apart))])
    mixed = load("digits")
    found = made.detect(mixed)
    place = {name: index for index, name in enumerate(mixed.names)}
    rows = [place[name] for name in apart.names]
    assert found.p is not None and np.array_equal(found.p[rows], whole.p)
