"""The command as a process of its own: killed with all its workers and started again, its figures are undisturbed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from latentia.cli.main import cli

WORDS = [
    "crossval",
    "digits",
    "--folds",
    "3",
    "--epochs",
    "6",
    "--encoder.widths",
    "4,8",
    "--no-final",
    "--batch-size",
    "64",
]


def start(runs: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "latentia", *WORDS, "--runs", str(runs), "--no-figures", "--quiet", *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def table(output: bytes | str) -> list[str]:
    text = output.decode() if isinstance(output, bytes) else output
    return [line for line in text.splitlines() if line.startswith(("  reconstruction_mse", "  loss", "  mse"))]


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_killed_and_started_again_it_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    from latentia.studies.result import open_crossvalidation

    whole = invoke(*WORDS, "--jobs", 1, "--runs", tmp_path / "whole", "--no-figures", "--quiet")
    assert whole.exit_code == 0, whole.output
    cut = tmp_path / "cut"
    process = start(cut, "--jobs", "2")
    deadline = time.monotonic() + 60
    while not list(cut.glob("*/fold-*/out-of-fold.safetensors")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    interrupted = process.poll() is None
    if interrupted:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    done = {file: (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in finished(cut)}
    assert done
    again = invoke(*WORDS, "--jobs", 1, "--runs", cut, "--no-figures", "--quiet")
    assert again.exit_code == 0, again.output
    assert len(list(cut.iterdir())) == 1
    for file, before in done.items():
        assert (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) == before
    assert table(again.stdout) == table(whole.stdout)
    results = [open_crossvalidation(output.stdout.splitlines()[-1]) for output in (whole, again)]
    np.testing.assert_array_equal(results[0].errors, results[1].errors)
    np.testing.assert_array_equal(results[0].codes, results[1].codes)


def finished(runs: Path) -> list[Path]:
    return [
        file
        for verdict in runs.glob("*/fold-*/out-of-fold.safetensors")
        for file in verdict.parent.rglob("*")
        if file.is_file()
    ]


@pytest.mark.parametrize("way", [("--jobs", 1), ("--stack",)])
def test_the_command_prints_draws_and_ends_with_the_folder(tmp_path: Path, way: tuple[object, ...]) -> None:
    done = invoke(*WORDS[:-3], "--epochs", 1, "--stratify", *way, "--runs", tmp_path)
    assert done.exit_code == 0, done.output
    folder = Path(done.stdout.splitlines()[-1])
    assert len(table(done.stdout)) >= 2
    assert sorted(path.stem for path in (folder / "figures").glob("*.png")) == [
        "fold-figures",
        "loss-bands",
        "worst-out-of-fold",
    ]
    assert all((folder / f"fold-{number}" / "model.safetensors").is_file() for number in range(3))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--folds", 5000], "digits has 1617 images, but 5000 folds need at least 5000: use fewer folds"),
        (["--folds", 500, "--stratify"], "stratified folds need 500"),
        (["--folds", 1], "there are 1 folds, but cross-validation needs 2 or more"),
        (["--preset", "cea"], "there is no preset called 'cea'"),
        (["--resume", "nowhere"], "the run folder 'nowhere' does not exist"),
        (["--stack", "--jobs", 4], "stacked folds are trained in this process, not by 4 jobs"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path: Path, words: list[object], sentence: str) -> None:
    done = invoke("crossval", "digits", *words, "--runs", tmp_path, "--quiet")
    assert sentence in str(done.exception)
    assert done.exception.exit_code == 2  # type: ignore[union-attr]
    assert not list(tmp_path.iterdir())
