"""Should one train at all? On digits, noisy digits and a dozen photographs; and requests that make no sense refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.metrics import normalized_mutual_info_score

import latentia.tasks.trials as kinds
from latentia import api, finetune, load, train
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.sections.baselines import section
from latentia.runs import Run
from latentia.tasks.baselines import Baselines
from latentia.tasks.linear_map import fit_linear_map
from latentia.tasks.simple_codes import fit_nmf, fit_pca
from latentia.tasks.trial import Trial
from latentia.tasks.trial_bench import Bench, LeftOut
from latentia.tasks.trials import classes, denoising, reconstruction
from latentia.tasks.trials.classes import _within_span
from latentia.tasks.trials.groups import Information, overlaps
from latentia.training.run_folder import RunFolder

QUICK = {"quiet": True, "figures": False, "encoder__widths": "8,16"}


@pytest.fixture(scope="module", autouse=True)
def _few_labels() -> Iterator[None]:
    """Let the probes learn from fewer labels, for time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "LABELLED", 150)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    return train("digits", runs=folder, epochs=8, learning_rate=5e-3, latent_dim=6, **QUICK)


@pytest.fixture(scope="module")
def found(run: Run) -> Baselines:
    return run.baselines()


def of(found: Baselines, name: str) -> Trial:
    return next(trial for trial in found.trials if trial.name.startswith(name))


def test_every_task_stands_beside_its_baselines(run: Run, found: Baselines) -> None:
    assert [trial.name for trial in found.trials] == [
        "reconstruction from 6 numbers",
        "classes by a linear probe",
        "classes by nearest neighbours",
        "groups beside labels",
        "groups beside labels",
    ]
    assert found.left_out == (("denoising", "this run was not trained to restore anything"),)
    assert (found.judged, found.count) == ("validation images of digits", 180)
    names = [way.name for way in of(found, "reconstruction").ways]
    assert names == ["this model", "PCA-6", "NMF-6", "mean image"]
    assert [way.name for way in of(found, "classes").ways][3:] == ["raw pixels (64)", "most frequent class"]
    for trial in found.trials:
        assert trial.model.fit_seconds >= run.description["seconds"], "training is counted"
        assert all(way.low <= way.value <= way.high and way.apply_seconds >= 0 for way in trial.ways)


def test_the_figures_are_those_of_evaluate(run: Run, found: Baselines) -> None:
    beside = run.evaluate(split="validation")
    ways = {way.name: way.value for way in of(found, "reconstruction").ways}
    assert ways["this model"] == pytest.approx(beside.reconstruction_mse, rel=1e-5)
    # answers stay within [0, 1] here, as those of the model do, and not there
    assert 0.9 * beside.baselines["PCA-6"] < ways["PCA-6"] < beside.baselines["PCA-6"]
    assert ways["mean image"] == pytest.approx(beside.baselines["mean image"], rel=1e-4)
    assert of(found, "classes by nearest").ways[3].value > 0.85, "neighbours on raw pixels know digits"


def test_the_command_keeps_it_and_the_report_shows_it(run: Run, found: Baselines, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["baselines", str(run.path), "-n", "100"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "all in all: " in done.stdout and "100 validation images of digits judge" in done.stdout
    for name in ("baselines.json", "baselines.csv", "figures/baselines.png"):
        assert str(run.path / name) in done.stdout and (run.path / name).stat().st_size > 500
    with (run.path / "baselines.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["task"] == "reconstruction from 6 numbers" and rows[0]["gain"] == ""
    assert float(rows[1]["gain"]) == pytest.approx(float(rows[0]["value"]) - float(rows[1]["value"]))
    page = api.report(run, map="none").read_text()
    assert "Was it worth training?" in page and "PCA-6" in page
    material = RunMaterial(RunFolder.open(run.path), None)
    assert section(material) is not None
    values = json.loads((run.path / "baselines.json").read_text())
    (run.path / "baselines.json").write_text(json.dumps({**values, "model": "another"}))
    assert section(material) is None, "the model is another one by now"
    (run.path / "baselines.json").write_text("broken")
    with pytest.raises(UserError, match="cannot be read: make it anew by latentia baselines"):
        section(material)
    (run.path / "baselines.json").unlink()
    assert section(material) is None
    elsewhere = ["baselines", str(run.path), "digits", "-o", str(tmp_path / "out"), "--json", "-n", "60"]
    test = json.loads(CliRunner().invoke(cli, elsewhere, catch_exceptions=False).stdout)
    assert (test["judged"], test["count"]) == ("test images of digits", 60)
    assert (tmp_path / "out" / "figures" / "baselines.png").is_file()


def test_a_task_exists_because_its_file_exists(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text(
        "from latentia.tasks.trial_bench import LeftOut\nPLACE = -1\n"
        "def trials(bench):\n    raise LeftOut('it was planted')\n    yield\n"
    )
    monkeypatch.setattr(kinds, "__path__", [str(tmp_path)])
    found = run.baselines(keep=False)
    assert found.trials == () and found.left_out == (("planted", "it was planted"),)
    assert "all in all: nothing could be tried" in str(found)


@pytest.mark.parametrize("preset", ["denoising-cae", "dae"])
def test_noisy_digits(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = train("digits", preset, runs=tmp_path, epochs=1, latent_dim=4, quiet=True, figures=False)
    bench = Bench(made.model, made.objective, made.training_images(), made.images("digits", "validation"), 3.0)
    psnr, ssim = denoising.trials(bench)
    names = [way.name for way in psnr.ways]
    assert names[:2] == ["this model", "median"] and names[-2:] == ["linear map", "as given"]
    ways = {way.name: way for way in psnr.ways}
    assert ways["linear map"].value > ways["as given"].value + 2
    assert ssim.figure == "SSIM" and len(ssim.ways) == len(psnr.ways)
    if "biharmonic, told where" in ways:
        assert ways["biharmonic, told where"].value > ways["median"].value
        assert psnr.rival.name != "biharmonic, told where"
    monkeypatch.setattr(denoising, "has_skimage", lambda: False)
    (alone,) = denoising.trials(bench)
    assert [way.name for way in alone.ways] == ["this model", "median", "linear map", "as given"]
    assert "need scikit-image: pip install 'latentia[classical]'" in " ".join(alone.notes)
    if preset == "dae":  # its code has more numbers than the image
        with pytest.raises(LeftOut, match="so the image itself is a code without an error"):
            list(reconstruction.trials(bench))


def test_a_dozen_photographs_without_labels(tmp_path: Path) -> None:
    folder, random = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    for number in range(12):
        pixels = np.full((20 + number % 3, 24, 3), 90 + 9 * number) + random.integers(0, 30, (1, 24, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"p{number:02}.png")
    made = train(folder, runs=tmp_path, epochs=1, **QUICK)
    found = made.baselines()
    assert [trial.outcome for trial in found.trials] == ["too few"] and found.count == 1
    reasons = dict(found.left_out)
    assert reasons["classes"] == "the images have no labels"
    assert reasons["groups"] == "1 judged image(s) are too few to look for groups: it takes 50"
    assert "too few to tell the model from" in str(found)
    many = made.baselines(random.integers(0, 256, (60, 21, 24, 3), dtype=np.uint8))
    assert many.trials[-1].name == "steadiness of groups" or "single group" in dict(many.left_out)["groups"]
    assert many.judged == "images of array"


def test_a_run_whose_images_were_in_memory_takes_them_again(tmp_path: Path) -> None:
    images = load("digits").select(np.arange(300))
    made = train(images, runs=tmp_path, epochs=1, **QUICK)
    with pytest.raises(UserError, match="was trained on images in memory: hand these over, to learn from and judge by"):
        made.baselines()
    found = made.baselines(images)
    assert (found.count, found.learned) == (30, "270 training images")
    with pytest.raises(UserError, match="was trained on other images than these, or validated by others"):
        made.baselines(load("digits").select(np.arange(200, 500)))


def test_requests_that_make_no_sense_get_one_sentence(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has images that .* was trained on, which would favour it: judge by others"):
        run.baselines("digits", "all")
    with pytest.raises(UserError, match=r"trained on images of 1 channel\(s\), but array has 3"):
        run.baselines(np.zeros((30, 3, 8, 8), np.uint8))
    with pytest.raises(UserError, match=r"of 8x8 pixels, but those of array are 9x9"):
        run.baselines(np.zeros((30, 9, 9), np.uint8))
    with pytest.raises(UserError, match="holds no images"):
        run.baselines(np.zeros((0, 8, 8), np.uint8))
    with pytest.raises(UserError, match="holds NaN or infinite pixels"):
        run.baselines(np.full((30, 8, 8), np.nan))
    with pytest.raises(UserError, match="there is no split called 'tset'"):
        run.baselines(split="tset")
    classifier = finetune(run, "digits", labels=20, epochs=1, runs=tmp_path, quiet=True, figures=False)
    with pytest.raises(UserError, match="is a classifier's run: baselines are set beside autoencoders"):
        classifier.baselines()
    np.save(tmp_path / "one.npy", np.zeros((1, 8, 8), np.uint8))
    single = train(tmp_path / "one.npy", runs=tmp_path, epochs=1, **QUICK)
    with pytest.raises(UserError, match="has no validation images: name DATA to judge by"):
        single.baselines()
    with pytest.raises(UserError, match="was trained on a single image, and baselines take two or more to learn from"):
        single.baselines(load("digits", "test"))


def test_simple_codes_keep_what_is_linear() -> None:
    random = np.random.default_rng(0)
    parts = random.random((3, 40))
    rows = (random.random((200, 3)) @ parts / 3).astype(np.float32)
    for simple in (fit_pca(rows, 3), fit_nmf(rows, 3)):
        assert simple.code(rows).shape == (200, 3)
        assert np.square(simple.rebuild(rows) - rows).mean() < (1e-10 if simple.name == "PCA-3" else 1e-3)
    assert (fit_nmf(rows, 3).code(rows - 0.2) >= 0).all(), "what is below black is black to it"
    assert fit_pca(rows[:2], 9).name == "PCA-2"


def test_the_linear_map_is_found() -> None:
    random = np.random.default_rng(0)
    clean = random.random((300, 1, 3, 4)).astype(np.float32)
    turned = np.einsum("ij,nj->ni", np.linalg.qr(random.normal(size=(12, 12)))[0], clean.reshape(300, 12))
    answer = fit_linear_map(turned.reshape(clean.shape).astype(np.float32), clean)
    assert np.square(answer(turned.reshape(clean.shape)) - clean).mean() < 1e-4
    assert fit_linear_map(clean[:2], clean[:2])(clean[:5]).shape == (5, 1, 3, 4)


def test_what_is_orthogonal_to_the_rows_changes_no_answer() -> None:
    from latentia.tasks.shallow import shallow_answers

    random = np.random.default_rng(0)
    rows, others = random.normal(size=(30, 90)).astype(np.float32), random.normal(size=(20, 90)).astype(np.float32)
    numbers = random.integers(0, 3, 30)
    narrow, _, asked = _within_span(rows, others, numbers)
    assert narrow.shape == (30, 30)
    for classifier in ("logistic", "knn"):
        wide = shallow_answers(classifier, rows, numbers, others)[0]
        assert (shallow_answers(classifier, narrow, numbers, asked)[0] == wide).mean() > 0.9


def test_overlap_of_groups_by_hand() -> None:
    first, second = np.array([0, 0, 1, 1, -2]), np.array([5, 5, 5, 7, 7])
    assert overlaps([first, second]) == pytest.approx([2 / 3, 2 / 3, 1 / 4, 1 / 2, 0.0])
    assert overlaps([first, first[[2, 3, 0, 1, 4]]])[:4].tolist() == [1, 1, 1, 1], "names of groups do not matter"


def test_mutual_information_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    groups, labels, places = random.integers(0, 4, 80), random.integers(0, 3, 80), random.integers(0, 80, 80)
    expected = normalized_mutual_info_score(labels[places], groups[places])
    assert Information(groups, labels)(places) == pytest.approx(expected)
    assert Information(groups * 0, labels * 0)(places) == 1.0
