"""The command line as a person meets it: real processes, real folders, exit codes, the last line of stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SMALL = ["--encoder.widths", "8,16", "--latent-dim", "4"]


def latentia(*words: object, ok: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "latentia", *map(str, words)], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == ok, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    done = latentia("train", "digits", "--epochs", 8, *SMALL, "--runs", folder)
    return Path(done.stdout.splitlines()[-1])


def test_train_leaves_a_folder_that_describes_itself(run: Path) -> None:
    assert run.name == "0001-digits-cae"
    names = {path.name for path in run.iterdir()}
    assert {"run.json", "metrics.jsonl", "model.json", "model.safetensors", "last", "figures"} <= names
    described = json.loads((run / "run.json").read_text())
    assert described["status"] == "finished"
    assert described["settings"]["epochs"] == 8
    assert described["architecture"]["encoder"]["widths"] == [8, 16]
    assert described["data"]["train"]["count"] == 1437
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 8
    for stem in ("loss", "images", "reconstructions", "best-and-worst", "filters", "feature-maps"):
        with Image.open(run / "figures" / f"{stem}.png") as picture:
            assert picture.width > 400


def test_progress_and_results_go_their_own_ways(run: Path, tmp_path: Path) -> None:
    done = latentia("train", "digits", "--epochs", 1, *SMALL, "--runs", tmp_path, "--no-figures")
    assert "epoch" not in done.stdout.splitlines()[-1]
    assert "epoch   1/1" in done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_dir()
    assert (
        latentia("train", "digits", "--epochs", 1, *SMALL, "--runs", tmp_path, "--no-figures", "--quiet").stderr == ""
    )


def test_evaluate_prints_the_baselines_beside(run: Path) -> None:
    done = latentia("evaluate", run)
    for part in ("digits, test split, 180 images", "this model", "mean image", "PCA-4"):
        assert part in done.stdout
    values = json.loads(latentia("evaluate", run, "--json", "--split", "validation").stdout)
    assert values["count"] == 180
    assert values["baselines"]["PCA-4"] < values["baselines"]["mean image"]


def test_the_test_split_of_another_split_seed_was_not_trained_on(tmp_path: Path) -> None:
    from latentia import load, open_run

    words = ["train", "digits", "--split-seed", 5, "--epochs", 1, *SMALL, "--runs", tmp_path, "--no-figures"]
    run = open_run(latentia(*words).stdout.splitlines()[-1])
    test = set(run.images("digits", "test").ids)
    assert test == set(load("digits", "test", split_seed=5).ids) != set(load("digits", "test").ids)
    assert not test & set(run.images("digits", "train").ids)
    assert run.evaluate().count == len(test)


def test_data_can_be_narrowed(tmp_path: Path) -> None:
    done = latentia("train", "digits", "--split", "test", "--epochs", 1, *SMALL, "--runs", tmp_path, "--no-figures")
    described = json.loads((Path(done.stdout.splitlines()[-1]) / "run.json").read_text())
    assert described["data"]["train"]["count"] + described["data"]["validation"]["count"] == 180


def test_reconstruct_writes_what_went_in(run: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "in" / "a.png")
    Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "in" / "deep" / "b.bmp")
    Image.fromarray(random.integers(0, 256, (20, 30), dtype=np.uint8)).save(tmp_path / "in" / "large.png")
    done = latentia("reconstruct", run, tmp_path / "in", "-o", tmp_path / "out")
    assert done.stdout.splitlines()[-1] == str(tmp_path / "out")
    for name in ("a.png", "deep/b.bmp", "large.png"):
        with Image.open(tmp_path / "in" / name) as before, Image.open(tmp_path / "out" / name) as after:
            assert (before.size, before.mode, before.format) == (after.size, after.mode, after.format)


def test_show_draws_one_picture(tmp_path: Path) -> None:
    done = latentia("show", "digits", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "show-digits.png"
    assert (tmp_path / "show-digits.png").stat().st_size > 1000


def test_another_run_lends_its_layers(run: Path, tmp_path: Path) -> None:
    words = ["train", "digits", "--preset", "dae", "--from", run, "--epochs", 1, "--encoder", "conv:widths=8x16"]
    done = latentia(*words, "--runs", tmp_path, "--no-figures")
    assert "came along: encoder.layers.0, encoder.layers.1" in done.stderr
    assert "new: bottleneck.project" in done.stderr


def test_parts_are_listed_with_their_fields() -> None:
    text = latentia("parts", "corruption").stdout
    assert "mask" in text
    assert "--corruption.p 0.5" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "nowhere"], "'nowhere' is neither a file or folder that exists nor a known data set"),
        (["train"], "there is nothing to train on"),
        (["train", "digits", "--preset", "dea"], "did you mean 'dae'"),
        (["train", "digits", "--latent-dim", "0"], "latent_dim is 0, but it must be at least 1"),
        (["train", "digits", "--epohcs", "1"], "--epochs"),
        (["train", "digits", "--epochs", "many"], "must be a whole number"),
        (["train", "digits", "--corruption.q", "1"], "none has no option 'q'"),
        (["train", "digits", "--corruption"], "needs a value"),
        (["train", "digits", "--encoder", "convv"], "did you mean 'conv'"),
        (["train", "digits", "--weight", "kl"], "write TERM=FACTOR"),
        (["train", "digits", "--weight", "kl=1"], "the loss has no term 'kl'"),
        (["train", "digits", "--size", "big"], "write one number, or HEIGHTxWIDTH"),
        (["train", "digits", "--resume", "x"], "--resume goes on with the run's own data and settings, so data"),
        (["train", "--resume", "nowhere"], "the run folder 'nowhere' does not exist"),
        (["train", "digits", "--data-dir", "nowhere"], "the data folder 'nowhere'"),
        (["tran", "digits"], "did you mean 'train'"),
        (["evaluate", "nowhere"], "the run folder 'nowhere' does not exist"),
        (["show", "digits", "--split", "tets"], "did you mean 'test'"),
        (["parts", "corruptions"], "did you mean 'corruption'"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(words: list[str], sentence: str, tmp_path: Path) -> None:
    done = latentia(*words, ok=2, cwd=tmp_path)
    assert sentence in done.stderr
    assert done.stderr.startswith("latentia: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_model_and_images_that_do_not_fit_are_both_named(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "colour.npy", np.zeros((3, 8, 8, 3), dtype=np.uint8))
    done = latentia("reconstruct", run, tmp_path / "colour.npy", "-o", tmp_path / "out", ok=2)
    assert "trained on images of 1 channel(s), but" in done.stderr
    np.save(tmp_path / "large.npy", np.zeros((3, 9, 9), dtype=np.uint8))
    done = latentia("reconstruct", run, tmp_path / "large.npy", "-o", tmp_path / "out", ok=2)
    assert "images of 8x8 pixels" in done.stderr
    assert "are 9x9" in done.stderr


@pytest.mark.parametrize("spoil", ["truncated", "foreign", "newer", "missing", "other"])
def test_a_spoilt_model_gets_one_sentence(run: Path, tmp_path: Path, spoil: str) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    weights, described = copy / "model.safetensors", copy / "model.json"
    values = json.loads(described.read_text())
    if spoil == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
        sentence = "is not a whole safetensors file"
    elif spoil == "foreign":
        weights.write_bytes(b"\x80\x04pickle")
        sentence = "is not a whole safetensors file"
    elif spoil == "newer":
        described.write_text(json.dumps({**values, "format": 99}))
        sentence = "use a newer Latentia"
    elif spoil == "missing":
        weights.unlink()
        sentence = "does not exist"
    else:
        values["architecture"]["encoder"]["widths"] = [8, 17]
        values["architecture"]["decoder"]["widths"] = [8, 17]
        described.write_text(json.dumps(values))
        sentence = "does not fit its model"
    done = latentia("evaluate", copy, ok=2)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [('{"format": 99}', "use a newer Latentia"), ("{", "is damaged"), ("[]", "was not written by Latentia")],
)
def test_a_run_folder_of_another_version_gets_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "run.json").write_text(content)
    done = latentia("train", "--resume", tmp_path, ok=2)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_may_not_be_written_gets_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = latentia("train", "digits", "--epochs", 1, "--runs", tmp_path / "runs", ok=1)
    assert "may not be written to" in done.stderr
