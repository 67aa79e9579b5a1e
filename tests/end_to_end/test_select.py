"""``latentia select`` as a command: its grid, its search, and what it shares with ``crossval``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from latentia.cli.main import cli

QUICK = ["--folds", "2", "--epochs", "1", "--encoder.widths", "(4,8)", "--batch-size", "64", "--jobs", "1"]


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_grid_of_settings(tmp_path: Path) -> None:
    done = invoke("select", "digits", "--latent-dim", "2,8", "--target", "all", *QUICK, "--runs", tmp_path)
    assert done.exit_code == 0, done.output
    folder = Path(done.stdout.splitlines()[-1])
    assert (folder / "figures" / "evidence.png").is_file()
    assert "recommended: latent_dim=" in done.stdout
    assert "setting 2 of 2: latent_dim=8" in done.stderr


def test_folds_of_each_setting_may_be_stacked(tmp_path: Path) -> None:
    words = ["select", "digits", "--latent-dim", "2,8", *QUICK[:-2], "--split", "validation", "--no-figures"]
    found = {}
    for way in ([], ["--stack"]):
        done = invoke(*words, *way, "--runs", tmp_path / str(len(way)))
        assert done.exit_code == 0, done.output
        described = json.loads((Path(done.stdout.splitlines()[-1]) / "run.json").read_text())
        found[len(way)] = {each["name"]: each["figure"]["mean"] for each in described["selection"]["candidates"]}
    assert "stacked into one" in done.stderr
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    refused = invoke(*words, "--stack", "--jobs", 2, "--runs", tmp_path)
    assert "leave one of the two out" in str(refused.exception)


def test_an_optuna_search_stays_in_its_ranges_and_repeats_itself(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the search needs the extra optuna")
    words = ["select", "digits", "--preset", "cae,dae", "--latent-dim", "2..5", "--learning-rate", "1e-3..1e-2"]
    words += ["--bottleneck", "deterministic", "--search", "optuna", "--trials", "4", *QUICK, "--no-figures"]
    done = invoke(*words, "--runs", tmp_path)
    assert done.exit_code == 0, done.output
    assert "found by Optuna in 4 trials" in done.stdout
    chosen = json.loads((Path(done.stdout.splitlines()[-1]) / "run.json").read_text())["selection"]["candidates"]
    for each in chosen:
        _, latent_dim, rate = each["name"].split()
        assert 2 <= int(latent_dim.removeprefix("latent_dim=")) <= 5
        assert 1e-3 <= float(rate.removeprefix("learning_rate=")) <= 1e-2
    trained = sorted(path.name for path in tmp_path.glob("*-crossval"))
    again = invoke(*words, "--runs", tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*-crossval")) == trained
    assert again.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]


def test_select_narrows_and_splits_like_crossval(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    words = [tmp_path / "images.npy", "--split", "all", "--split-seed", 3, *QUICK, "--weight", "reconstruction=2"]
    selected = invoke("select", *words, "--latent-dim", "2,3", "--runs", tmp_path / "runs", "--no-figures")
    assert selected.exit_code == 0, selected.output
    words = ["4,8" if word == "(4,8)" else word for word in words]
    alone = invoke("crossval", *words, "--latent-dim", "3", "--no-final", "--runs", tmp_path / "runs", "--no-figures")
    assert "2 of 2 folds are finished" in alone.stderr  # the same study, so nothing is trained again
    assert "of 60 images" in alone.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--latent-dim", "2..8"], "latent_dim is the range '2..8', which is for --search optuna"),
        (
            ["--latent-dim", "8..2", "--search", "optuna"],
            "the range '8..2' of latent_dim cannot be read: write LOW..HIGH",
        ),
        (["--latent-dim", "2..x", "--search", "optuna"], "the range '2..x' of latent_dim cannot be read"),
        (["--latent-dim", "0..8", "--search", "optuna"], "latent_dim"),
        (["--latent-dim", "2..8", "--search", "optuna", "--trials", "1"], "trials is 1, but a search needs 2 or more"),
        (["--search", "optuna"], "nothing to search: give a range or several values"),
        (["--latent-dim", "2,4", "--weight", "kl"], "--weight 'kl' cannot be read: write TERM=FACTOR"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(tmp_path: Path, words: list[str], sentence: str) -> None:
    pytest.importorskip("optuna", reason="the search needs the extra optuna")
    done = invoke("select", "digits", *words, *QUICK, "--runs", tmp_path)
    assert sentence in str(done.exception)
    assert done.exception.exit_code == 2  # type: ignore[union-attr]
    assert not list(tmp_path.iterdir())


def test_without_optuna_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    done = invoke("select", "digits", "--latent-dim", "2..4", "--search", "optuna", *QUICK, "--runs", tmp_path)
    assert "the search 'optuna' needs optuna: pip install 'latentia[optuna]'" in str(done.exception)
