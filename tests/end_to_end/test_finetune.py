"""From an autoencoder to a classifier: the whole loop on digits, as a person and as a script do it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import load, open_run, train
from latentia.api import finetune
from latentia.core.errors import Interrupted, UserError
from latentia.runs import Run
from latentia.training.trainer import Trainer

SMALL: dict[str, Any] = {"encoder.widths": "8,32", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 16}
QUIET: dict[str, Any] = {"quiet": True, "figures": False}


def latentia(*words: object, ok: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "latentia", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == ok, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("digits", epochs=20, runs=tmp_path_factory.mktemp("runs"), options=SMALL, **QUIET)


@pytest.fixture(scope="module")
def made(pretrained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = latentia(
        "finetune", pretrained.path, "digits", "--labels", 50, "--epochs", 60, "--runs", tmp_path_factory.mktemp("c")
    )
    assert (
        "full: 50 labels of 10 classes (5 each), 1,387 unlabelled images, augmentation chain (elastic+rotation+shift)"
        in (done.stderr)
    )
    return Path(done.stdout.splitlines()[-1])


def test_the_run_describes_itself_and_has_its_pictures(made: Path) -> None:
    described = json.loads((made / "run.json").read_text())
    assert (described["kind"], described["status"]) == ("classifier", "finished")
    assert described["finetuning"]["augmentation"] == "chain"
    assert described["data"]["labels"]["count"] == 50
    assert len((made / "labels.csv").read_text().splitlines()) == 51
    assert json.loads((made / "calibration.json").read_text())["temperature"] >= 1
    for stem in ("loss", "confusion", "mistakes", "reliability", "answers"):
        with Image.open(made / "figures" / f"{stem}.png") as picture:
            assert picture.width > 400


def test_fifty_labels_go_a_long_way(made: Path) -> None:
    judged = open_run(made).classification().judgement()
    assert judged is not None
    assert judged.count == 180
    assert judged.error < 0.15, "a linear classifier on the pixels of fifty digits errs at 0.15 to 0.2"
    printed = latentia("evaluate", made).stdout
    assert f"error {judged.error:.2%} of 180 labelled images" in printed
    assert "expected calibration error" in printed
    assert json.loads(latentia("evaluate", made, "--json").stdout)["error"] == pytest.approx(judged.error)


def test_predictions_are_written_and_judged(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    words = [
        "predict",
        made,
        "digits",
        "--split",
        "test",
        "-o",
        out,
        "--unsure",
        0.9,
        "--figures",
        tmp_path / "pictures",
    ]
    done = latentia(*words)
    assert done.stdout.splitlines()[-1] == str(out)
    assert "95 % interval" in done.stdout
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    run, test = open_run(made), load("digits", "test")
    chances = run.predict_proba(test)
    assert [row["name"] for row in rows] == list(test.names)
    assert {row["label"] for row in rows} <= {*map(str, range(10)), "unsure"}
    assert np.allclose([float(row["p(3)"]) for row in rows], chances[:, 3], atol=1e-5)
    assert all((row["label"] == "unsure") == (top < 0.9) for row, top in zip(rows, chances.max(1), strict=True))
    labels = run.predict(test)
    assert labels.dtype == np.int64
    assert np.array_equal(labels, chances.argmax(1))
    assert (tmp_path / "pictures" / "confusion.png").is_file()


def test_images_whose_labels_were_learned_are_not_judged(made: Path) -> None:
    judged = open_run(made).prediction("digits").judgement()
    assert judged is not None
    assert judged.count == 1797 - 50


@pytest.mark.parametrize("mode", ["probe", "partial"])
def test_other_modes(pretrained: Run, tmp_path: Path, mode: str) -> None:
    run = finetune(pretrained, "digits", labels=100, mode=mode, epochs=20, runs=tmp_path, **QUIET)
    judged = run.classification(split="validation").judgement()
    assert judged is not None
    assert judged.error < 0.3
    first = "autoencoder.encoder.layers.0.weight"
    same = (run.classifier.state_dict()[first] == pretrained.model.state_dict()["encoder.layers.0.weight"]).all()
    assert bool(same), "its first layer stays as it was"
    assert open_run(run.path).predict("digits").shape == (1797,)


def test_the_control_begins_anew_and_the_source_is_left_alone(pretrained: Run, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in pretrained.model.state_dict().items()}
    run = finetune(pretrained, "digits", labels=20, scratch=True, epochs=1, runs=tmp_path, **QUIET)
    assert run.description["origin"]["scratch"] is True
    assert all(bool((before[name] == value).all()) for name, value in pretrained.model.state_dict().items())


def test_only_the_drawn_labels_are_read(pretrained: Run, tmp_path: Path) -> None:
    images = load("digits", "train").select(range(300))
    assert images.labels is not None
    drawn = finetune(pretrained, images, labels=30, epochs=3, runs=tmp_path, **QUIET)
    with (drawn.path / "labels.csv").open() as file:
        kept = {row["name"]: int(row["label"]) for row in csv.DictReader(file)}
    lied = np.array([kept.get(name, -1) for name in images.names])
    hidden = finetune(pretrained, images, labels=lied, epochs=3, runs=tmp_path, **QUIET)
    assert np.array_equal(drawn.predict_proba(images), hidden.predict_proba(images))


@pytest.mark.parametrize("labels", [30, None], ids=["few", "all"])
def test_a_resumed_run_is_bit_identical(
    pretrained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: int | None
) -> None:
    images = load("digits", "train").select(range(300))
    options: dict[str, Any] = {"labels": labels, "epochs": 4, "batch_size": 100, **QUIET}
    whole = finetune(pretrained, images, runs=tmp_path / "whole", **options)
    step, count = Trainer.train_step, [0]

    def interrupted(self: Trainer, *args: Any) -> Any:
        count[0] += 1
        if count[0] == 6:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", interrupted)
        with pytest.raises(Interrupted, match="go on with latentia finetune --resume"):
            finetune(pretrained, images, runs=tmp_path / "cut", **options)
    (folder,) = (tmp_path / "cut").iterdir()
    resumed = train(images, resume=folder, **QUIET)
    assert np.array_equal(whole.predict_proba(images), resumed.predict_proba(images))
    assert [record["train"] for record in whole.history] == [record["train"] for record in resumed.history]
    with pytest.raises(UserError, match="cannot be resumed: its images or labels have changed"):
        finetune(resume=folder, data=load("digits", "validation"), **QUIET) if labels else finetune(
            resume=folder, data=images.with_pixels(255 - images.pixels), **QUIET
        )


def test_a_folder_and_a_label_file(pretrained: Run, tmp_path: Path) -> None:
    digits = load("digits").select(range(120))
    assert digits.labels is not None
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, pixels in enumerate(digits.pixels):
        Image.fromarray(pixels[0]).save(folder / f"{index}.png")
    names = ["low" if label < 5 else "high" for label in digits.labels]
    path = tmp_path / "labels.csv"
    path.write_text("name,label\n" + "".join(f"{index}.png,{names[index]}\n" for index in range(40)))
    source = train(folder, epochs=2, runs=tmp_path, options=SMALL, **QUIET)
    words = ["finetune", source.path, folder, "--label-file", path, "--runs", tmp_path, "--epochs", 5, "--no-figures"]
    done = latentia(*words, "--augmentation", "shift", "--augmentation.reach", 0.1)
    assert "40 labels of 2 classes" in done.stderr
    assert "80 unlabelled images, augmentation shift:reach=0.1" in done.stderr
    run = Path(done.stdout.splitlines()[-1])
    assert open_run(run).classifier.classes == ("high", "low")
    out = tmp_path / "out.csv"
    assert "error" not in latentia("predict", run, folder, "-o", out).stdout, "there is no truth to judge by"
    assert latentia("evaluate", run, ok=2).stderr.strip().endswith("so none are left to test on: name others")


def test_folders_named_after_classes_are_labels(tmp_path: Path) -> None:
    digits = load("digits").select(range(100))
    assert digits.labels is not None
    for index, (pixels, label) in enumerate(zip(digits.pixels, digits.labels, strict=True)):
        place = tmp_path / "photos" / ("even" if label % 2 == 0 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0]).save(place / f"{index}.png")
    source = train(tmp_path / "photos", epochs=2, runs=tmp_path, options=SMALL, **QUIET)
    run = finetune(source, mode="probe", runs=tmp_path, **QUIET)
    assert run.classifier.classes == ("even", "odd")
    assert run.description["data"]["labels"]["count"] == run.description["data"]["train"]["count"] == 80


SENTENCES = [
    (["{classifier}", "digits"], "is a classifier already"),
    (
        ["{run}", "digits", "--labels", 5],
        "5 labels are fewer than the 10 classes of digits: each class needs at least one",
    ),
    (["{run}", "digits", "--labels", 50, "--label-file", "x.csv"], "give --labels or --label-file, not both"),
    (["{run}", "digits", "--label-file", "x.csv"], "the label file 'x.csv' does not exist"),
    (["{run}", "digits", "--mode", "frozen"], "mode is 'frozen', but it must be one of probe, partial, full"),
    (["{run}", "digits", "--augmentation", "spin"], "there is no augmentation called 'spin'"),
    (["{run}", "digits", "--augmentation.reach", 0.1], "chain has no option 'reach'"),
    (["{run}", "{plain}"], "has no labels: give --label-file"),
    ([], "there is nothing to fine-tune: name the run of an autoencoder"),
    (["nowhere", "digits"], "the run folder 'nowhere' does not exist"),
    (["--resume", "{run}"], "is no classifier's run: go on with latentia train --resume"),
    (["--resume", "{classifier}", "--labels", 5], "so labels cannot be given with it"),
]


@pytest.mark.parametrize(("words", "sentence"), SENTENCES, ids=lambda value: None)
def test_what_cannot_be_done_is_said_in_a_sentence(
    words: list[Any], sentence: str, pretrained: Run, made: Path, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from latentia.cli.main import cli

    np.save(tmp_path / "plain.npy", np.zeros((20, 8, 8), dtype=np.uint8))
    names = {"run": pretrained.path, "classifier": made, "plain": tmp_path / "plain.npy"}
    given = [str(word).format(**names) for word in words]
    done = CliRunner().invoke(cli, ["finetune", *given, "--quiet"])
    assert isinstance(done.exception, UserError), done.output
    assert sentence in str(done.exception)
    assert "\n" not in str(done.exception)


def test_other_tasks_say_what_kind_of_run_they_need(pretrained: Run, made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no classifier yet: make one of it with latentia finetune"):
        pretrained.predict("digits")
    with pytest.raises(UserError, match="is a classifier already: this needs the run of an autoencoder"):
        open_run(made).embed("digits")
    with pytest.raises(UserError, match="is a classifier already: start from the run of an autoencoder"):
        train("digits", init_from=made, runs=tmp_path, **QUIET)
    assert "the output 'out.txt' is no .csv file" in latentia("predict", made, "digits", "-o", "out.txt", ok=2).stderr
    wide = np.zeros((3, 9, 9), dtype=np.uint8)
    with pytest.raises(UserError, match="the model was trained on images of 8x8 pixels"):
        open_run(made).predict(wide)


def test_an_unfinished_run_and_what_is_no_model_say_so(made: Path, tmp_path: Path) -> None:
    described = json.loads((made / "run.json").read_text())
    assert not open_run(made).warning
    (tmp_path / "run.json").write_text(json.dumps({**described, "status": "interrupted"}))
    assert "is not finished, so its probabilities are not calibrated: go on with" in open_run(tmp_path).warning
    (tmp_path / "run.json").write_text(json.dumps({**described, "kind": "learning-curve"}))
    with pytest.raises(UserError, match="holds a learning-curve, not a trained model"):
        open_run(tmp_path)
