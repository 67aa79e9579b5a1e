"""The whole loop on a flat folder: train, suggest, label, fine-tune, predict, suggest again."""

from __future__ import annotations

import collections
import csv
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from latentia import load, open_run, train
from latentia.api import suggest
from latentia.cli.main import cli
from latentia.core.errors import UserError
from latentia.runs import Run

SMALL: dict[str, Any] = {"encoder.widths": "8,32", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 16}
QUIET: dict[str, Any] = {"quiet": True, "figures": False}


def invoke(*words: object) -> Any:
    return CliRunner().invoke(cli, [str(word) for word in words])


def succeed(*words: object) -> Any:
    done = invoke(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a flat folder of 300 digits and the truth that a person would see."""
    folder = tmp_path_factory.mktemp("data") / "my photos"
    folder.mkdir()
    digits = load("digits").select(range(300))
    assert digits.labels is not None
    truth = {}
    for index, (pixels, label) in enumerate(zip(digits.pixels, digits.labels, strict=True)):
        truth[f"img_{index:03}.png"] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][
            label
        ]
        Image.fromarray(pixels[0]).save(folder / f"img_{index:03}.png")
    return folder, truth


@pytest.fixture(scope="module")
def source(photos: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(photos[0], epochs=40, runs=tmp_path_factory.mktemp("runs"), options=SMALL, **QUIET)


def fill_in(path: Path, truth: dict[str, str], leave: int = 0) -> list[dict[str, str]]:
    """Label the rows of a list as a person would; the last ``leave`` are left empty."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[: len(rows) - leave]:
        row["label"] = truth[row["name"]]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_two_rounds(photos: tuple[Path, dict[str, str]], source: Run, tmp_path: Path) -> None:
    folder, truth = photos
    path = tmp_path / "to-label.csv"
    done = succeed("suggest", source.path, folder, "-n", 20, "-o", path)
    assert done.stdout.splitlines()[-1] == str(path)
    assert f"{folder}: 20 of 300 unlabelled images suggested, 20 for coverage" in done.stdout
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.width > 900
    again = shlex.split(done.stdout.splitlines()[-2].partition("latentia ")[2])
    assert again[0] == "finetune", "the next command is printed"

    first = fill_in(path, truth, leave=2)
    tune = [*again, "--epochs", 15, "--runs", tmp_path / "runs", "--no-figures"]
    done = succeed(*tune)
    assert "2 of 20 rows" in done.stderr
    given = collections.Counter(truth[row["name"]] for row in first[:18])
    assert (
        f"18 labels of {len(given)} classes ({', '.join(f'{each}: {given[each]}' for each in sorted(given))})"
        in done.stderr
    )
    one = Path(done.stdout.splitlines()[-1])
    succeed("predict", one, folder, "-o", tmp_path / "answers.csv", "--unsure", 0.5)

    done = succeed("suggest", one, folder, "-n", 10, "--label-file", path, "-o", path)
    assert "2 were suggested before and left without a label" in done.stdout
    assert "labels so far: 18 (" in done.stdout
    second = fill_in(path, truth)
    names = [row["name"] for row in second]
    assert names[:20] == [row["name"] for row in first]
    assert len(names) == len(set(names)) == 30
    assert any(row["why"].startswith("unsure: ") for row in second[20:])

    two = Path(succeed(*tune).stdout.splitlines()[-1])
    done = succeed("suggest", two, folder, "-n", 10, "-o", tmp_path / "third.csv", "--json")
    found = json.loads(done.stdout)
    assert found["paying"]["stability"]["before"] == one.name, "the round before is found beside this one"
    assert found["paying"]["stability"]["labels"] == [18, 30]
    assert found["paying"]["stability"]["images"] == 270
    assert not {each["name"] for each in found["suggested"]} & set(names), "what it learned counts without being named"
    with (tmp_path / "third.csv").open() as file:
        assert next(csv.reader(file)) == ["name", "label", "why"]


def test_rounds_in_files_of_their_own_may_be_joined(
    photos: tuple[Path, dict[str, str]], source: Run, tmp_path: Path
) -> None:
    folder, truth = photos
    one, two, both = (tmp_path / name for name in ("one.csv", "two.csv", "both.csv"))
    succeed("suggest", source.path, folder, "-n", 12, "-o", one)
    fill_in(one, truth)
    done = succeed("suggest", source.path, folder, "-n", 8, "--label-file", one, "-o", two)
    assert f"{two} holds none of the 12 labels so far, which are in {one}: join the two" in done.stdout
    fill_in(two, truth)
    both.write_bytes(one.read_bytes() + two.read_bytes())  # cat one.csv two.csv: a header stands in the middle
    done = succeed(
        "finetune", source.path, folder, "--label-file", both, "--mode", "probe", "--runs", tmp_path, "--no-figures"
    )
    assert "20 labels of" in done.stderr


def test_arrays_without_names_work_as_well(source: Run) -> None:
    images = load("digits", "validation")
    found = suggest(source, images, 50, quiet=True)
    assert len(found.rows) == 50
    assert found.paying is None
    assert found.figure().axes
    said: list[str] = []
    assert len(suggest(source, images, 500, say=said.append).rows) == 180
    assert "only 180 images have no label yet" in said[-1]


def test_more_than_a_sheet_is_drawn_on_several(source: Run, tmp_path: Path) -> None:
    files = suggest(source, load("digits", "validation"), 45, quiet=True).draw(tmp_path / "sheet.png")
    assert [file.name for file in files] == ["sheet-1.png", "sheet-2.png"]


def test_nothing_of_a_label_is_read(source: Run) -> None:
    images = load("digits", "validation")
    lied = images.select(range(len(images)))
    assert lied.labels is not None
    lied.labels[:] = 0
    assert np.array_equal(suggest(source, images, quiet=True).rows, suggest(source, lied, quiet=True).rows)


def test_mistakes_are_told_in_a_sentence(photos: tuple[Path, dict[str, str]], source: Run, tmp_path: Path) -> None:
    folder, _ = photos
    (tmp_path / "there.csv").write_text("name,label\n")
    (tmp_path / "strange.csv").write_text("name,label\nimg_999.png,two\n")
    (tmp_path / "taken.png").write_bytes(b"a picture of somebody's own")
    for words, sentence in [
        (["-o", tmp_path / "list.txt"], "is no .csv file: choose another -o"),
        (["-o", tmp_path / "no" / "list.csv"], "of the output does not exist: make it, or choose another -o"),
        (["-o", tmp_path / "there.csv"], "exists already: give it as --label-file too, to go on from it"),
        (["-o", folder / "list.csv"], "the contact sheet would lie among the images of"),
        (
            ["-o", tmp_path / "a.csv", "--label-file", tmp_path / "strange.csv"],
            "has no such image: names are written as",
        ),
        (["-o", tmp_path / "taken.csv"], "taken.png exists already, and contact sheets would be drawn there"),
        (["-o", tmp_path / "a.csv", "--label-file", "none.csv"], "the label file 'none.csv' does not exist"),
        (["-o", tmp_path / "a.csv", "--by", "doubt"], "there is no way to suggest called 'doubt'"),
    ]:
        done = invoke("suggest", source.path, folder, *words)
        assert isinstance(done.exception, UserError), (words, done.output)
        assert sentence in str(done.exception)
    assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "taken.png").read_bytes() == b"a picture of somebody's own"
    before = sorted(folder.iterdir())
    done = invoke("suggest", source.path, "-o", folder / "img_000.csv")  # the run's own images, which are not named
    assert "the contact sheet would lie among the images of" in str(done.exception)
    assert sorted(folder.iterdir()) == before


def test_sub_folders_that_are_no_classes_stand_in_nobodys_way(
    photos: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Images sorted by day or place, whose labels are of another kind: the guide's way leads through all the same."""
    folder, truth = photos
    known = {}
    for index, (name, label) in enumerate(truth.items()):
        place = tmp_path / "photos" / ("2023", "2024")[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, place / name)
        known[f"{place.name}/{name}"] = label
    run = train(tmp_path / "photos", epochs=3, runs=tmp_path / "runs", options=SMALL, **QUIET)
    path = tmp_path / "labels.csv"
    succeed("suggest", run.path, "-n", 20, "-o", path)
    rows = fill_in(path, known)
    words = ["--label-file", path, "--mode", "probe", "--runs", tmp_path / "runs", "--no-figures"]
    done = succeed("finetune", run.path, tmp_path / "photos", *words)
    assert "none of the labels in" in done.stderr
    assert "(such as 2023, 2024; names of sub-folders, perhaps), so the file's own are the classes" in done.stderr
    classifier = Path(done.stdout.splitlines()[-1])
    answered = succeed("predict", classifier, tmp_path / "photos", "-o", tmp_path / "answers.csv")
    assert "error" not in answered.stdout, "days do not judge digits"

    first, *others = rows
    corrected = [{**first, "label": next(row["label"] for row in others if row["label"] != first["label"])}, *others]
    corrected[1] = {**corrected[1], "label": ""}  # and one label is taken back
    with (tmp_path / "corrected.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, first.keys())
        writer.writeheader()
        writer.writerows(corrected)
    done = succeed(
        "suggest", classifier, "-n", 3, "--label-file", tmp_path / "corrected.csv", "-o", tmp_path / "more.csv"
    )
    assert "labels so far: 19 (" in done.stdout


def test_a_lost_autoencoder_is_told_and_nothing_else_is_lost(
    photos: tuple[Path, dict[str, str]], source: Run, tmp_path: Path
) -> None:
    folder, truth = photos
    path = tmp_path / "list.csv"
    succeed("suggest", source.path, folder, "-n", 20, "-o", path)
    fill_in(path, truth)
    words = [
        "finetune",
        source.path,
        folder,
        "--label-file",
        path,
        "--mode",
        "probe",
        "--runs",
        tmp_path,
        "--no-figures",
    ]
    run = open_run(succeed(*words).stdout.splitlines()[-1])
    described = json.loads((run.path / "run.json").read_text())
    described["origin"]["from"] = "gone"
    (run.path / "run.json").write_text(json.dumps(described))
    said: list[str] = []
    found = suggest(run.path, folder, 5, say=said.append)
    assert len(found.rows) == 5
    assert "the autoencoder gone is not there" in said[-1]
