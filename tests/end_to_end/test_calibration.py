"""Thresholds that the run itself, or a cross-validation, has the images for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from scipy.stats import betabinom

from latentia import crossvalidate, load, open_run, train
from latentia.api.studies import CrossValidationResult
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.conformal import false_alarm_range, p_values
from latentia.tasks.detect import detect

SMALL = {"encoder__widths": "8,16", "latent_dim": 6, "quiet": True}
NOISE = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Run:
    runs = tmp_path_factory.mktemp("runs")
    return train("digits", runs=runs, epochs=15, learning_rate=1e-2, calibration=0.2, figures=False, **SMALL)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> CrossValidationResult:
    runs = tmp_path_factory.mktemp("runs")
    return crossvalidate("digits", runs=runs, folds=3, epochs=10, learning_rate=1e-2, final=False, **SMALL)


def test_what_is_set_aside_is_seen_by_nothing_and_recorded(apart: Run, tmp_path: Path) -> None:
    described = apart.description["data"]
    assert described["train"]["count"] + described["calibration"]["count"] == 1437
    assert described["calibration"]["count"] == 287 and described["calibration"]["share"] == 0.2
    plain = train("digits", runs=tmp_path, epochs=1, figures=False, **SMALL).description["data"]
    assert described["validation"] == plain["validation"] and "calibration" not in plain
    ours = set(apart.calibration_images().names)
    parts = [apart.training_images(), load("digits", "validation"), load("digits", "test")]
    assert len(ours) == 287 and not any(ours & set(part.names) for part in parts)
    assert apart.learn_normal().count == 1150
    again = open_run(apart.path).calibration_images()
    assert again.fingerprint == described["calibration"]["fingerprint"]


def test_a_run_on_arrays_finds_its_share_again(tmp_path: Path) -> None:
    pixels = load("digits").pixels[:100]
    run = train(pixels, runs=tmp_path, epochs=1, calibration=0.5, figures=False, **SMALL)
    assert run.description["data"]["train"]["count"] == 45
    ours = run.calibration_images(pixels)
    assert len(ours) == 45
    assert run.learn_normal(pixels).count == 45, "what is set aside does not say what is normal either"
    found = run.detect(NOISE, calibrate=ours, false_alarms=0.1)
    assert found.calibration == 45
    with pytest.raises(UserError, match="was trained on images in memory: hand the same images over"):
        run.calibration_images()
    with pytest.raises(UserError, match="have changed since it was trained: it set 45 aside, and these are 36 others"):
        run.calibration_images(pixels[:80])


def test_resuming_sets_the_same_images_aside(tmp_path: Path) -> None:
    kept = {"calibration": 0.2, "figures": False, **SMALL}
    whole = train("digits", runs=tmp_path / "whole", epochs=2, **kept)
    described = json.loads((whole.path / "run.json").read_text())
    (whole.path / "run.json").write_text(json.dumps({**described, "status": "interrupted"}))
    again = train(resume=whole.path, figures=False, quiet=True)
    assert again.description["data"] == described["data"]


def test_detect_takes_them_by_itself(apart: Run, tmp_path: Path) -> None:
    found = apart.detect(NOISE, false_alarms=0.05)
    assert found.calibration == 287 and "287 calibration images (set aside before training)" in str(found)
    assert found.flagged.mean() > 0.9
    fresh = apart.detect(load("digits", "test"), false_alarms=0.05)
    assert fresh.flagged.mean() < 0.12 and not fresh.learned.any() and not fresh.among.any()
    assert "were all 180 like them, 3 to 17 would be flagged" in str(fresh)
    every = apart.detect("digits", false_alarms=0.05)
    assert every.among.sum() == 287 and every.learned.sum() == 1150 + 180
    assert "287 of the images are calibration images, ranked among themselves: the oddest 5 %" in str(every)
    done = invoke("detect", apart.path, "digits", "--split", "test", "-o", tmp_path, "--fdr", 0.2)
    assert done.exit_code == 0 and "set aside before training" in done.stdout


def test_the_command_and_its_refusals(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    words = ["train", folder, "--epochs", 1, "--no-figures", "--runs", tmp_path / "runs"]
    done = invoke(*words, "--calibration", 0.2)
    assert "2 images are set aside for calibration, 8 are trained on" in done.stderr
    run = done.stdout.splitlines()[-1]
    assert json.loads((Path(run) / "run.json").read_text())["data"]["calibration"]["count"] == 2
    refused = invoke("detect", run, folder, "-o", tmp_path / "odd", "--false-alarms", 0.01)
    assert "2 calibration images are too few for 0.01 false alarms" in str(refused.exception)
    for share, sentence in ((1.0, "calibration is 1, but it is the share"), (-0.1, "calibration is -0.1, but it is")):
        assert sentence in str(invoke(*words, "--calibration", share).exception)
    assert "sets 9 of them aside: too few are left" in str(invoke(*words, "--calibration", 0.95).exception)
    assert "so calibration cannot be given" in str(invoke("train", "--resume", run, "--calibration", 0.1).exception)


def test_a_run_without_images_to_set_a_threshold_by_says_how_to_get_them(tmp_path: Path) -> None:
    run = train("digits", split="all", runs=tmp_path, epochs=1, figures=False, **SMALL)
    assert run.detect(NOISE).p is None
    with pytest.raises(
        UserError, match=r"has no images to set a threshold by, .* train with --calibration 0.1, or name"
    ):
        run.detect(NOISE, false_alarms=0.1)


def test_promises_hold_over_two_hundred_fresh_splits(apart: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that the run has not seen, divided anew each time: their number of alarms is beta-binomial (Vovk 2012)."""
    unseen = [apart.calibration_images(), load("digits", "test")]
    odd = load(NOISE)
    scores = np.concatenate([apart.score_samples(images) for images in (*unseen, odd)])
    count, splits, held = sum(map(len, unseen)), 200, 199

    def images(places: np.ndarray) -> ImageSet:
        return ImageSet(np.zeros((len(places), 1, 8, 8), np.uint8), [str(place) for place in places], places)

    monkeypatch.setattr("latentia.tasks.detect.score", lambda model, some, name, normal: scores[some.ids])
    random, normal, level, rate = np.random.default_rng(0), apart.learn_normal(), 0.05, 0.2
    alarms, discoveries, power, inside = [], [], [], []
    for _ in range(splits):
        order = random.permutation(count)
        known, new = images(order[:held]), order[held:]
        found = detect(apart.model, images(new), normal, calibration=known, false_alarms=level)
        alarms.append(found.flagged.sum())
        low, high = false_alarm_range(level, held, len(new))
        inside.append(low <= found.flagged.mean() <= high)
        mixed = np.concatenate([new[:100], count + random.permutation(len(odd))[:20]])
        flagged = detect(apart.model, images(mixed), normal, calibration=known, fdr=rate).flagged
        discoveries.append(flagged[:100].sum() / max(flagged.sum(), 1))
        power.append(flagged[100:].mean())
    below = int(level * (held + 1))
    law = betabinom(len(new), below, held + 1 - below)
    assert abs(np.mean(alarms) - law.mean()) < 3 * law.std() / np.sqrt(splits)
    assert np.std(alarms) == pytest.approx(law.std(), rel=0.25)
    assert np.mean(inside) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / splits)
    # of the flagged at most rate * (share of normal images) is normal, on average
    assert np.mean(discoveries) < rate * 100 / 120 + 3 * np.std(discoveries) / np.sqrt(splits)
    assert np.mean(power) > 0.8


def test_every_image_of_a_cross_validation_is_judged_by_a_model_that_has_not_seen_it(
    folded: CrossValidationResult,
) -> None:
    found = folded.detect(false_alarms=0.05)
    assert found.among.all() and not found.learned.any() and found.folds == 3
    assert found.flagged.mean() == pytest.approx(0.05, abs=0.001), "ranked among themselves"
    fold = folded.folds[1]
    normal = folded.detector.normal(fold)
    assert normal.count == len(fold.fold.train)
    by_hand = folded.detector.model(fold), folded.images.select(fold.fold.test)
    from latentia.tasks.anomaly_scores import score

    assert np.allclose(found.scores[fold.fold.test], score(*by_hand, "combined", normal))
    assert (folded.path / "out-of-fold-combined.safetensors").is_file()
    assert np.array_equal(CrossValidationResult(folded.path).detect().scores, found.scores), "kept, and read again"


def test_new_images_are_compared_within_each_fold(folded: CrossValidationResult) -> None:
    images = load("digits", "test").select(np.arange(40))
    found = folded.detect(images, false_alarms=0.05)
    assert not found.among.any() and found.flagged.mean() < 0.2
    assert folded.detect(NOISE, false_alarms=0.05).flagged.mean() > 0.9
    alone = folded.detect(images.select([7]), false_alarms=0.05)
    assert alone.p is not None and found.p is not None and alone.p[0] == pytest.approx(found.p[7])
    # near what one split would have given with any of its models
    singles = [
        p_values(folded.detector.detect(images).scores, folded.detector.scores()[folded.fold_of == number])
        for number in range(3)
    ]
    assert np.abs(np.mean(singles, axis=0) - found.p).mean() < 0.1
    assert "at most 10.1 % are flagged, so much is guaranteed (CV+); about 5 % is to be expected" in str(found)


def test_the_command_on_a_cross_validation(folded: CrossValidationResult, tmp_path: Path) -> None:
    words = ["detect", folded.path, "digits", "-o", tmp_path / "odd", "--split", "test"]
    done = invoke(*words, "--false-alarms", 0.05, "--heat-maps")
    assert done.exit_code == 0, done.exception
    assert "out-of-fold scores of 3 folds" in done.stdout and "so much is guaranteed (CV+)" in done.stdout
    assert (tmp_path / "odd" / "oddest.png").is_file() and len(list((tmp_path / "odd" / "maps").iterdir())) == 180
    assert "--fdr needs p-values that out-of-fold scores do not give" in str(invoke(*words, "--fdr", 0.1).exception)
    refused = invoke(*words, "--calibrate", "digits")
    assert "whose out-of-fold scores set the threshold: leave --calibrate out" in str(refused.exception)
    few = invoke(*words, "--false-alarms", 0.0001)
    assert "cross-validate at least 9999 images, or ask for a higher rate" in str(few.exception)


def test_a_cross_validation_of_an_array_knows_its_own_images(tmp_path: Path) -> None:
    pixels = load("digits").pixels[:60]
    result = crossvalidate(pixels, folds=3, epochs=1, runs=tmp_path, final=False, **SMALL)
    assert result.detect(pixels).among.all()
    assert result.detect(pixels[10:30]).among.all(), "a part of them has other numbers, and the same pixels"
    assert not result.detect(load("digits").pixels[60:80]).among.any()
