"""The learning curve and the control: what they compare is alike in all but the pre-training, and nothing is trained twice."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from latentia import load, open_run, train
from latentia.api import finetune, learning_curve, open_learning_curve
from latentia.cli.main import cli
from latentia.core.errors import Interrupted, UserError
from latentia.runs import Run
from latentia.studies import learning_curve as study
from latentia.training.trainer import Trainer

SMALL: dict[str, Any] = {"encoder.widths": "8,32", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 16}
QUIET: dict[str, Any] = {"quiet": True, "figures": False}
QUICK = [
    "--labels",
    "10,40",
    "--draws",
    2,
    "--epochs",
    2,
    "--batch-size",
    128,
    "--rows",
    "pre-trained,scratch,pixels-svm",
]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("digits", epochs=20, runs=tmp_path_factory.mktemp("runs"), options=SMALL, **QUIET)


def invoke(*words: object) -> Any:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(pretrained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = invoke("learning-curve", pretrained.path, "digits", *QUICK, "--runs", tmp_path_factory.mktemp("curves"))
    assert done.exit_code == 0, done.output
    assert "12 of 12: 40 labels, draw 2, SVM on raw pixels: error" in done.stderr
    return Path(done.stdout.splitlines()[-1])


def test_the_curve_describes_itself_and_loads_again(made: Path) -> None:
    curve = open_learning_curve(made)
    assert (curve.counts, curve.draws, curve.done, curve.judged) == ((10, 40), 2, 12, 480)
    text = str(curve)
    assert "judged on 480 images whose labels were set aside (all ways saw them unlabelled)" in text
    assert "the same network from scratch" in text
    assert "95 % interval of the gain" in text
    few, many = curve.error("pixels-svm", 10), curve.error("pixels-svm", 40)
    assert few is not None and many is not None
    assert many.mean < few.mean < 0.9
    assert json.loads((made / "result.json").read_text())["labels"] == [10, 40]
    with (made / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[2]["mean"]) == pytest.approx(few.mean, rel=1e-4)
    with Image.open(made / "figures" / "learning-curve.png") as picture:
        assert picture.width > 800


def test_gains_are_paired_by_draw_and_image(made: Path) -> None:
    curve = open_learning_curve(made)
    first, second = curve.wrong("pre-trained", 10), curve.wrong("scratch", 10)
    assert first is not None and second is not None
    gain = curve.gains[0]
    assert gain.difference.mean == pytest.approx(float(second.mean() - first.mean()))
    assert gain.difference.values == pytest.approx(tuple(second.mean(1) - first.mean(1)))


def test_more_draws_are_added_and_nothing_is_trained_twice(
    pretrained: Run, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads((made / "metrics.jsonl").read_text().splitlines()[0])
    trained: list[Any] = []
    measure = study.measure

    def counted(*given: Any) -> Any:
        trained.append(given[2:])
        return measure(*given)

    monkeypatch.setattr(study, "measure", counted)
    words = ["learning-curve", pretrained.path, "digits", *QUICK, "--runs", made.parent, "--no-figures"]
    assert invoke(*words).exit_code == 0
    assert not trained
    words[words.index("--draws") + 1] = 3
    done = invoke(*words)
    assert Path(done.stdout.splitlines()[-1]) == made
    assert trained == [(row, count, 2) for count in (10, 40) for row in ("pre-trained", "scratch", "pixels-svm")]
    assert json.loads((made / "metrics.jsonl").read_text().splitlines()[0]) == before
    words[words.index("--draws") + 1] = 2
    assert invoke(*words).exit_code == 0
    assert open_learning_curve(made).wanted == 12, "what was asked for last is what is shown"


def test_a_stopped_curve_goes_on(pretrained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"labels": [20], "draws": 2, "epochs": 1, "rows": ["pre-trained", "scratch"]}
    measure, count = study.measure, [0]

    def interrupted(*given: Any) -> Any:
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt
        return measure(*given)

    with monkeypatch.context() as patch:
        patch.setattr(study, "measure", interrupted)
        with pytest.raises(Interrupted, match="and the same command goes on with it") as told:
            learning_curve(pretrained, runs=tmp_path, **options, **QUIET)
    assert told.value.exit_code == 130
    (folder,) = tmp_path.iterdir()
    part = open_learning_curve(folder)
    assert (part.done, part.wanted) == (2, 4)
    assert "unfinished: 2 of 4 trainings are there" in str(part)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"row": "pre-tr')  # as a kill would leave it
    whole = learning_curve(pretrained, runs=tmp_path, **options, **QUIET)
    assert whole.path == folder
    assert whole.done == 4
    anew = learning_curve(pretrained, runs=tmp_path / "other", **options, **QUIET)
    assert anew.error("scratch", 20) == whole.error("scratch", 20)


def test_both_networks_differ_in_their_beginning_only(pretrained: Run, tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[Any] = []
    fit = Trainer.fit

    def watched(self: Trainer) -> Any:
        batches: Any = self.train
        seen.append((batches.labels.clone(), len(batches), self.settings, self.objective.how))  # type: ignore[attr-defined]
        return fit(self)

    monkeypatch.setattr(Trainer, "fit", watched)
    options: dict[str, Any] = {"labels": [20], "draws": 1, "epochs": 1, "spreading": False}
    learning_curve(pretrained, runs=tmp_path, rows=["pre-trained", "scratch"], mode="partial", **options, **QUIET)
    first, second = seen
    assert bool((first[0] == second[0]).all()), "the same labels on the same images"
    assert first[1:3] == second[1:3], "the same steps and settings"
    assert second[3] == dataclasses.replace(first[3], scratch=True, mode="full")


def test_the_labels_that_judge_are_never_shown(pretrained: Run, tmp_path: Path) -> None:
    images = load("digits", "train").select(range(300))
    assert images.labels is not None
    options: dict[str, Any] = {"labels": [20], "draws": 1, "epochs": 1, **QUIET}
    found = learning_curve(pretrained, images, split="aside", runs=tmp_path / "a", **options)
    pool, judged = study.set_aside(load(images, "train"))
    assert pool.labels is not None and judged.labels is not None
    assert found.judged == len(judged)
    hidden = set(judged.ids.tolist())
    assert all(label == -1 for label, name in zip(pool.labels, pool.ids.tolist(), strict=True) if name in hidden)
    counts = np.bincount(judged.labels, minlength=10)
    assert counts.min() >= 5 and counts.max() - counts.min() <= 6, "a third of each class"


def test_other_images_may_judge(pretrained: Run, tmp_path: Path) -> None:
    options: dict[str, Any] = {"labels": [20], "draws": 1, "rows": ["pixels-knn", "codes-knn"], **QUIET}
    assert "judged on 180 test images" in str(learning_curve(pretrained, split="test", runs=tmp_path, **options))
    found = learning_curve(pretrained, judge=load("digits", "validation"), runs=tmp_path, **options)
    assert "judged on 180 images of digits" in str(found)
    assert not found.gains, "without both networks there is nothing to say of pre-training"


def test_a_flat_folder_with_a_label_file(pretrained: Run, tmp_path: Path) -> None:
    digits = load("digits").select(range(120))
    assert digits.labels is not None
    (tmp_path / "photos").mkdir()
    for index, pixels in enumerate(digits.pixels):
        Image.fromarray(pixels[0]).save(tmp_path / "photos" / f"{index}.png")
    lines = [f"{index}.png,{'low' if digits.labels[index] < 5 else 'high'}" for index in range(60)]
    (tmp_path / "labels.csv").write_text("\n".join(["name,label", *lines]))
    found = learning_curve(
        pretrained,
        tmp_path / "photos",
        label_file=tmp_path / "labels.csv",
        labels=[4, 20],
        draws=2,
        epochs=1,
        rows=["pre-trained", "scratch", "pixels-logistic"],
        runs=tmp_path,
        **QUIET,
    )
    assert found.judged == 20, "a third of sixty"
    assert found.description["data"]["count"] == 120
    with pytest.raises(
        UserError, match="50 labels were asked for, but 20 of the 60 are set aside to judge by, and 40 are left"
    ):
        learning_curve(
            pretrained,
            tmp_path / "photos",
            label_file=tmp_path / "labels.csv",
            labels=[4, 50],
            runs=tmp_path / "no",
            **QUIET,
        )
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--labels", "5"], "5 labels are fewer than the 10 classes of digits"),
        (["--labels", "5000"], "5000 labels were asked for, but digits has 957 for training: ask for fewer"),
        (["--labels", "10,many"], "'many' in '10,many' is no number of labels: write whole numbers, such as 10,30,100"),
        (["--draws", "0"], "draws is 0, but it must be 1 or more"),
        (
            ["--rows", "pixels-svn"],
            "there is no row of a learning curve called 'pixels-svn'; did you mean 'pixels-svm'",
        ),
        (["--rows", ","], "no rows are named"),
        (["--split", "train"], "there is no split to judge by called 'train'"),
        (["--label-file", "none.csv"], "the label file 'none.csv' does not exist"),
        (["{plain}"], "has no labels to draw from: give --label-file"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    words: list[str], sentence: str, pretrained: Run, tmp_path: Path
) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((20, 8, 8), dtype=np.uint8))
    given = [word.format(plain=tmp_path / "plain.npy") for word in words]
    data = [] if given[0].endswith(".npy") else ["digits"]
    done = invoke("learning-curve", pretrained.path, *data, *given, "--runs", tmp_path / "runs")
    assert isinstance(done.exception, UserError), done.output
    assert sentence in str(done.exception)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_no_curve_is_told(pretrained: Run, made: Path) -> None:
    with pytest.raises(UserError, match="holds no learning curve, but a autoencoder"):
        open_learning_curve(pretrained.path)
    done = invoke("compare", made, made)
    assert "holds no training run, but a learning-curve" in str(done.exception)


def test_finetune_trains_its_control_and_prints_both(pretrained: Run, tmp_path: Path) -> None:
    words = ["finetune", pretrained.path, "digits", "--labels", 30, "--epochs", 2, "--runs", tmp_path, "--no-figures"]
    done = invoke(*words, "--control")
    assert done.exit_code == 0, done.output
    assert "beside its control, on 180 validation images of digits:" in done.stdout
    assert "now its control: the same network from scratch" in done.stderr
    run = open_run(done.stdout.splitlines()[-1])
    control = run.control
    assert control is not None and control.control is None
    assert control.description["finetuning"] == {**run.description["finetuning"], "scratch": True}
    for entry in ("settings", "head", "classes", "data"):
        assert control.description[entry] == run.description[entry]
    assert (run.path / "labels.csv").read_text() == (control.path / "labels.csv").read_text()
    found = run.beside_control()
    assert found.pretrained is not None and found.scratch is not None
    assert found.gain == pytest.approx(found.scratch.error - found.pretrained.error)
    assert found.low <= found.gain <= found.high


def test_an_interrupted_control_is_gone_on_with(
    pretrained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, count = Trainer.fit, [0]

    def interrupted(self: Trainer) -> Any:
        count[0] += 1
        if count[0] == 2:
            raise Interrupted("training was interrupted", 2)
        return fit(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", interrupted)
        with pytest.raises(
            Interrupted,
            match=r"the control was interrupted: go on with latentia finetune --resume .*0001-digits-classifier",
        ):
            finetune(pretrained, labels=20, control=True, epochs=1, runs=tmp_path, **QUIET)
    done = finetune(resume=tmp_path / "0001-digits-classifier", **QUIET)
    assert done.control is not None
    assert done.control.path.name == "0002-digits-classifier"
    assert done.control.description["status"] == "finished"


def test_without_labels_to_judge_by_only_agreement_is_told(pretrained: Run, tmp_path: Path) -> None:
    images = load("digits", "train").select(range(100))
    run = finetune(pretrained, images, labels=20, control=True, mode="probe", epochs=1, runs=tmp_path, **QUIET)
    found = run.beside_control(dataclasses.replace(images, labels=None))
    assert "no image has a label that was not learned" in str(found)
    assert run.control is not None and run.control.classifier.spec.hidden > 0, "a linear head is the probe's alone"
    with pytest.raises(UserError, match="has no images left to compare by"):
        run.beside_control()
    with pytest.raises(UserError, match="has no control beside it: fine-tune with --control"):
        run.control.beside_control(images)
    with pytest.raises(UserError, match="--scratch trains the control itself"):
        finetune(pretrained, images, labels=20, control=True, scratch=True, runs=tmp_path, **QUIET)


def test_draws_that_are_stacked_are_those_of_each_alone(
    pretrained: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    original = study.finetune_stacked

    def counted(source: Any, images: Any, draws: Any, how: Any, **rest: Any) -> Any:
        joined.append(len(draws))
        return original(source, images, draws, how, **rest)

    monkeypatch.setattr(study, "finetune_stacked", counted)
    done = invoke("learning-curve", pretrained.path, "digits", *QUICK, "--stack", "--runs", tmp_path)
    assert done.exit_code == 0, done.output
    assert joined == [2, 2, 2, 2], "each number of labels of both networks"
    assert "12 of 12: 40 labels, draw 2, SVM on raw pixels: error" in done.stderr
    stacked, alone = open_learning_curve(done.stdout.splitlines()[-1]), open_learning_curve(made)
    for row in ("pre-trained", "scratch", "pixels-svm"):
        for count in (10, 40):
            one, other = stacked.wrong(row, count), alone.wrong(row, count)
            assert one is not None and other is not None and one.shape == other.shape == (2, 480)
            assert (one != other).sum() <= 4, "a few images lie on a boundary, and are rounded to its other side"


def test_what_cannot_be_stacked_is_told_before_anything_is_trained(pretrained: Run, tmp_path: Path) -> None:
    done = invoke("learning-curve", pretrained.path, "digits", *QUICK, "--stack", "--compile", "--runs", tmp_path)
    assert isinstance(done.exception, UserError) and "leave --stack or --compile out" in str(done.exception)
    assert not list(tmp_path.iterdir())
