"""``latentia compare``: two cross-validations fold by fold, training runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latentia import crossvalidate, train
from latentia.cli.main import cli

QUICK = {"encoder__widths": "4,8", "batch_size": 64, "epochs": 2, "quiet": True}


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    runs = tmp_path_factory.mktemp("runs")
    kept = {"figures": False, "runs": runs, **QUICK}
    folded = {"folds": 3, "final": False, "runs": runs, **QUICK}
    return {
        "small": train("digits", latent_dim=2, **kept).path,
        "large": train("digits", latent_dim=8, **kept).path,
        "other": train("digits", latent_dim=8, split_seed=1, **kept).path,
        "small folds": crossvalidate("digits", latent_dim=2, **folded).path,
        "large folds": crossvalidate("digits", latent_dim=8, **folded).path,
        "other folds": crossvalidate("digits", latent_dim=8, split_seed=1, **folded).path,
    }


def test_cross_validations_are_paired_fold_by_fold(places: dict[str, Path], tmp_path: Path) -> None:
    done = invoke("compare", places["small folds"], places["large folds"], "-o", tmp_path / "pairs.png")
    assert done.exit_code == 0, done.output
    assert "architecture.bottleneck.latent_dim: 2 in" in done.stdout
    assert "corrected paired t-test over 3 folds" in done.stdout
    with Image.open(tmp_path / "pairs.png") as picture:
        assert picture.width > 800
    values = json.loads(invoke("compare", places["small folds"], places["large folds"], "--json").stdout)
    first, second = values["values"]
    np.testing.assert_allclose(values["difference"]["mean"], np.mean(first) - np.mean(second))


def test_runs_stand_side_by_side(places: dict[str, Path], tmp_path: Path) -> None:
    done = invoke("compare", places["small"], places["large"], "--test", "-o", tmp_path / "runs.png")
    assert done.exit_code == 0, done.output
    rows = {line.split("  ")[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["bottleneck.latent_dim"][-2:] == ["2", "8"]
    assert "training.epochs" not in rows  # equal settings are left out
    history = [json.loads((places[name] / "metrics.jsonl").read_text().splitlines()[-1]) for name in ("small", "large")]
    assert rows["validation mse"][-2:] == [f"{record['validation']['mse']:.5g}" for record in history]
    judged = json.loads(invoke("evaluate", places["small"], "--json").stdout)
    assert rows["test reconstruction_mse"][-2] == f"{judged['reconstruction_mse']:.5g}"
    assert (tmp_path / "runs.png").is_file()


def test_figures_on_different_images_are_called_so(places: dict[str, Path]) -> None:
    done = invoke("compare", places["large"], places["other"])
    assert "the runs were judged on different images, so these figures do not compare" in done.stdout


@pytest.mark.parametrize(
    ("names", "more", "sentence"),
    [
        (["small"], [], "there is one run only, so nothing to compare it with: name two or more"),
        (["small", "small folds"], [], "a cross-validation and a training run do not compare"),
        (["small folds"], [], "1 cross-validation(s) are named, but a paired test takes two"),
        (["small folds", "large folds", "small folds"], [], "3 cross-validation(s) are named"),
        (["large folds", "other folds"], [], "are not of the same images, so their folds cannot be paired"),
        (["small folds", "large folds"], ["--test"], "judged out of fold, not on test images: leave --test out"),
        (["small folds", "large folds"], ["--metric", "kl"], "there is no figure called 'kl'"),
        (["small", "large"], ["-o", "out.pdf"], "is neither a folder nor a .png file"),
        (["nowhere", "small"], [], "the run folder 'nowhere' does not exist"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    places: dict[str, Path], names: list[str], more: list[str], sentence: str
) -> None:
    done = invoke("compare", *[places.get(name, name) for name in names], *more)
    assert sentence in str(done.exception)
    assert done.exception.exit_code == 2  # type: ignore[union-attr]
