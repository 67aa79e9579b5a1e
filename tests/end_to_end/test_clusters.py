"""From a folder to named clusters to labels, from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latentia import load, train
from latentia.cli.main import cli
from latentia.runs import Run


def latentia(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=True)


def good(*words: object) -> str:
    done = latentia(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def sentence(*words: object) -> str:
    done = latentia(*words)
    assert done.exit_code != 0
    return str(done.exception)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    digits = load("digits")
    for place in range(240):
        Image.fromarray(digits.pixels[place, 0]).save(folder / f"{place:03d}.png")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    small = {"epochs": 4, "figures": False, "quiet": True, "widths": "8x16", "latent_dim": 6}
    return train(folder, "cae", runs=tmp_path_factory.mktemp("runs"), **small)


def test_from_a_folder_to_labels(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "clusters"
    text = good("cluster", run.path, folder, "-o", out, "--clusters", 4, "--repeats", 1)
    assert text.splitlines()[-1] == str(out) and "4 clusters of 240 images" in text and "accuracy" not in text
    assert {path.name for path in out.iterdir()} == {
        *("clusters.csv", "names.csv", "codes.npy", "clusters.json", "overview.png", "number.png"),
        *(f"cluster-{number:02d}.png" for number in range(4)),
    }
    (out / "names.csv").write_text("cluster,name\n0,left\n1,right\n2,left\n3,\n")
    text = good("label", run.path, out, out / "names.csv", "-o", tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="") as file:
        labels = {row["name"]: row["label"] for row in csv.DictReader(file)}
    with (out / "clusters.csv").open(newline="") as file:
        expected = {
            row["name"]: {"0": "left", "1": "right", "2": "left"}.get(row["cluster"]) for row in csv.DictReader(file)
        }
    assert labels == {name: label for name, label in expected.items() if label}
    assert "in clusters without a name" in text
    picture = tmp_path / "map.png"
    text = good("map", run.path, folder, "-o", picture, "--method", "pca", "--clusters", out)
    assert "trustworthiness" in text and picture.is_file() and (tmp_path / "map.csv").is_file()
    assert "would be lost" in sentence("cluster", run.path, folder, "-o", out, "--no-pictures")


def test_the_labels_of_named_data_are_reported(run: Run, tmp_path: Path) -> None:
    text = good("cluster", run.path, "digits", "--split", "test", "-o", tmp_path / "d", "--no-pictures", "--repeats", 0)
    assert "k-means on PCA" in text and not list((tmp_path / "d").glob("*.png"))
    assert '"accuracy"' in good(
        *(
            "cluster",
            run.path,
            "digits",
            "--split",
            "test",
            "-o",
            tmp_path / "j",
            "--no-pictures",
            "--json",
            "--repeats",
            0,
        )
    )


def test_embed_writes_codes(run: Run, folder: Path, tmp_path: Path) -> None:
    text = good("embed", run.path, folder, "-o", tmp_path / "c.npy")
    assert text.splitlines()[-1] == str(tmp_path / "c.npy")
    assert np.array_equal(np.load(tmp_path / "c.npy"), run.embed(folder))
    assert (tmp_path / "c.names.txt").read_text().splitlines()[0] == "000.png"
    good("embed", run.path, folder, "-o", tmp_path / "f.csv", "--features", "layers.0", "--pool")
    assert (tmp_path / "f.csv").read_text().startswith("name,label,z0,z1")


def test_what_is_wrong_is_said(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "ends in .npy or .parquet or .csv" in sentence("embed", run.path, folder, "-o", tmp_path / "c.txt")
    assert "no layer of this encoder called 'x'" in sentence(
        "embed", run.path, folder, "-o", tmp_path / "c.npy", "--features", "x"
    )
    np.save(tmp_path / "wide.npy", np.zeros((5, 9, 9), dtype=np.uint8))
    for command, target in (("embed", "c.npy"), ("map", "m.png"), ("cluster", "d")):
        assert "trained on images of 8x8 pixels" in sentence(
            command, run.path, tmp_path / "wide.npy", "-o", tmp_path / target
        )
    assert "one picture is drawn" in sentence("map", run.path, folder, "-o", tmp_path)
    assert "is not a folder of clusters" in sentence(
        "map", run.path, folder, "-o", tmp_path / "m.png", "--clusters", tmp_path
    )
    assert "positions cannot be written" in sentence(
        "map", run.path, folder, "-o", tmp_path / "m.png", "--positions", tmp_path / "p.txt"
    )
    (tmp_path / "empty").mkdir()
    assert "empty" in sentence("cluster", run.path, tmp_path / "empty", "-o", tmp_path / "e")
    assert "241 clusters are asked for" in sentence(
        "cluster", run.path, folder, "-o", tmp_path / "e", "--clusters", 241
    )


def test_labels_need_the_run_that_clustered(run: Run, folder: Path, tmp_path: Path) -> None:
    good("cluster", run.path, folder, "-o", tmp_path / "c", "--clusters", 2, "--repeats", 0, "--no-pictures")
    (tmp_path / "c" / "names.csv").write_text("cluster,name\n0,a\n")
    other = train(
        folder, "cae", runs=tmp_path, epochs=1, seed=5, figures=False, quiet=True, widths="8x16", latent_dim=6
    )
    words = [tmp_path / "c", tmp_path / "c" / "names.csv", "-o"]
    assert "the clusters were made with" in sentence("label", other.path, *words, tmp_path / "l.csv")
    assert "name a file that ends in .csv" in sentence("label", run.path, *words, tmp_path / "l.txt")
    assert "the file of names itself" in sentence("label", run.path, *words, words[1])
    done = latentia(
        "map", run.path, "digits", "-o", tmp_path / "m.png", "--method", "pca", "--clusters", tmp_path / "c"
    )
    assert "none of the images is among the clusters" in str(done.exception)
