"""Drift of digits: none where there is none, planted changes found and named, and requests that make no sense refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from latentia import api, finetune, load, train
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.drift import LEAST

QUICK = {"quiet": True, "figures": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    small = {"encoder__widths": "8,16", "latent_dim": 8, "learning_rate": 5e-3}
    made = train("digits", runs=tmp_path_factory.mktemp("runs"), epochs=15, **small, **QUICK)
    made.learn_normal()
    return made


@pytest.fixture(scope="module")
def fresh() -> ImageSet:
    return load("digits", "test")


def changed(images: ImageSet, how: str) -> ImageSet:
    pixels, random = images.pixels.astype(np.float64), np.random.default_rng(0)
    made = {
        "inverted": 255 - pixels,
        "noisy": pixels + random.normal(0, 40, pixels.shape),
        "brighter": pixels * 1.25 + 10,
        "fewer kinds": pixels[np.isin(images.labels, [0, 1, 2])],
    }[how]
    kept = images if how != "fewer kinds" else images.select(np.flatnonzero(np.isin(images.labels, [0, 1, 2])))
    return ImageSet(np.clip(made, 0, 255).astype(np.uint8), kept.names, kept.ids, source=how)


def test_images_of_the_same_kind_have_not_changed(run: Run, fresh: ImageSet) -> None:
    found = run.drift(fresh)
    assert not found.changed and min(test.adjusted for test in found.tests) > 0.05
    assert "no change was found" in str(found) and "That is no proof that nothing has changed" in str(found)
    assert found.against == "validation images of digits" and len(found.reference) == 180


@pytest.mark.parametrize("how", ["inverted", "noisy", "brighter", "fewer kinds"])
def test_planted_changes_are_found(run: Run, fresh: ImageSet, how: str) -> None:
    found = run.drift(changed(fresh, how))
    assert found.changed
    text = str(found)
    if how == "fewer kinds":
        assert found.tests[0].adjusted <= 0.05 and found.tests[0].apart.low > 0.6
    else:
        assert "The new images are less normal to the model" in text and "--from RUN" in text
    assert text.splitlines()[1].startswith("changed: ")
    if how in ("inverted", "brighter"):
        (eye,) = [line for line in text.splitlines() if line.startswith("to the eye new images are ")]
        assert "brighter (in " in eye
    if how == "inverted":
        assert found.moved[0].adjusted <= 0.05 and "of the code moved; most number" in text
    largest = max(max(test.apart.distance, test.statistic / 2) for test in found.tests)
    assert largest > (0.45 if how == "inverted" else 0.1)


def test_the_images_that_changed_come_first(run: Run, fresh: ImageSet) -> None:
    mixed = fresh.pixels.copy()
    mixed[::6] = 255 - mixed[::6]
    found = run.drift(fresh.with_pixels(mixed))
    assert set(found.order[:30].tolist()) == set(range(0, 180, 6))


def test_images_that_were_learned_from_are_left_out(run: Run) -> None:
    found = run.drift("digits")  # all of them
    assert found.left_out == 1797 - 180 and len(found.images) == 180 and not found.changed
    assert "1,617 images were left out" in str(found)
    with pytest.raises(
        UserError, match=r"all 1,437 images of digits are among those that .* was trained on or chosen by"
    ):
        run.drift(run.images("digits", "train"))
    other = run.drift(run.images("digits", "test"), "digits")  # a reference is freed of training images, too
    assert other.against == "images of digits" and len(other.reference) == 180 and len(other.images) == 180
    with pytest.raises(UserError, match="was trained on all images of digits: name another --reference"):
        run.drift("digits", run.images("digits", "train"))


def test_a_run_whose_images_were_in_memory_takes_a_reference(tmp_path: Path) -> None:
    pixels = load("digits").pixels[np.random.default_rng(0).permutation(1797)]  # in order they are by writer
    made = train(pixels[:600], runs=tmp_path, epochs=6, learning_rate=5e-3, **QUICK)
    with pytest.raises(UserError, match="was trained on images in memory: name a reference that it has not seen"):
        made.drift(pixels[600:700])
    same = made.drift(pixels[600:800], pixels[800:1200])
    assert not same.changed and len(same.reference) == 200 and "others stood in for the training images" in same.against
    assert made.drift(255 - pixels[600:800], pixels[800:1200]).changed


def test_images_set_aside_for_calibration_are_compared_with(tmp_path: Path) -> None:
    made = train("digits", runs=tmp_path, epochs=1, calibration=0.1, encoder__widths="4,8", **QUICK)
    found = made.drift(load("digits", "test"))
    assert found.against == "calibration images of digits" and len(found.reference) == 144


def test_the_command_writes_what_it_says(run: Run, fresh: ImageSet, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", changed(fresh, "brighter").pixels)
    words = ["drift", str(run.path), str(tmp_path / "new.npy"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == str(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert written["changed"] and written["count"] == 180 and len(written["tests"]) == 7
    with (tmp_path / "out" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 180 and set(rows[0]) == {
        "name",
        "distance",
        "code_looks_new",
        "reconstruction",
        "density",
        "combined",
        "brightness",
        "contrast",
        "detail",
    }
    assert rows[0]["name"] in done.stdout
    for picture in ("drift.png", "changed.png"):
        assert (tmp_path / "out" / picture).stat().st_size > 10_000
    against = [*words[:3], "--reference", "digits", "--reference-split", "test", "--json", "-n", "50"]
    values = json.loads(CliRunner().invoke(cli, against, catch_exceptions=False).stdout)
    assert values["against"] == "images of digits" and values["count"] == values["reference_count"] == 50
    found = api.drift(run, tmp_path / "new.npy")
    assert found.to_json() == written


def test_spatial_codes_and_colour(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (120, 12, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "old.npy", pixels)
    made = train(tmp_path / "old.npy", "dae", runs=tmp_path, epochs=1, latent_dim=4, **QUICK)
    known = random.integers(0, 256, (40, 12, 16, 3), dtype=np.uint8)
    found = made.drift(random.integers(0, 256, (40, 12, 16, 3), dtype=np.uint8) // 2, known)
    assert found.changed and found.spatial and "its channels are averaged over them" in str(found)
    deep = made.drift((known.astype(np.float32) / 255)[:30], known)
    assert "is float32 and the reference is uint8" in str(deep)


def test_requests_that_make_no_sense_get_one_sentence(run: Run, fresh: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"array: 1 image, but {LEAST} are needed on each side"):
        run.drift(fresh.pixels[:1])
    with pytest.raises(UserError, match="images of array: 5 images, but 20 are needed"):
        run.drift(fresh, fresh.pixels[:5])
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but array has 3"):
        run.drift(np.zeros((30, 3, 8, 8), np.uint8))
    with pytest.raises(UserError, match=r"of 8x8 pixels, but those of array are 9x9"):
        run.drift(np.zeros((30, 9, 9), np.uint8))
    with pytest.raises(UserError, match="holds no images"):
        run.drift(np.zeros((0, 8, 8), np.uint8))
    with pytest.raises(UserError, match="holds NaN or infinite pixels"):
        run.drift(np.full((30, 8, 8), np.nan))
    with pytest.raises(UserError, match=r"the level is 0, but it must lie between 0.01 and 1"):
        run.drift(fresh, level=0)
    with pytest.raises(UserError, match="10 images of each set are asked for, but 20 are needed"):
        run.drift(fresh, most=10)
    few = train(fresh.pixels[:12], runs=tmp_path, epochs=1, **QUICK)
    np.save(tmp_path / "few.npy", fresh.pixels[:12])
    few = train(tmp_path / "few.npy", runs=tmp_path, epochs=1, **QUICK)
    with pytest.raises(UserError, match=r"validation images of .*few.npy: 1 image, but 20 are needed"):
        few.drift(fresh)
    classifier = finetune(run, "digits", labels=20, epochs=1, runs=tmp_path, **QUICK)
    with pytest.raises(UserError, match="is a classifier's run: drift compares images by an autoencoder"):
        classifier.drift(fresh)
    weights = next(run.model.bottleneck.parameters()).data
    kept = weights.clone()
    weights.fill_(float("nan"))
    with pytest.raises(UserError, match="is not finite"):
        run.drift(fresh)
    weights.copy_(kept)
