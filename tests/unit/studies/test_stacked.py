"""Folds that are stacked are the same kind of result as folds in processes, and hold the same figures up to rounding."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_studies import SMALL, some_images

from latentia import open_run
from latentia.core.errors import Interrupted, LatentiaError, UserError
from latentia.studies import fold_run
from latentia.studies.crossvalidation import crossvalidate
from latentia.studies.result import CrossValidation, compare
from latentia.training.stack import Stack


def stacked(runs: Path, preset: str = "dae", **more: Any) -> CrossValidation:
    return crossvalidate(some_images(), preset, folds=3, stack=True, runs=runs, **{**SMALL, **more})


def test_a_stacked_result_is_that_of_processes(finished: CrossValidation, tmp_path: Path) -> None:
    said: list[str] = []
    result = stacked(tmp_path, quiet=False, say=said.append)
    assert "training 3 fold(s), stacked into one" in said
    np.testing.assert_allclose(result.errors, finished.errors, rtol=1e-4)
    np.testing.assert_allclose(result.codes, finished.codes, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(result.fold_of, finished.fold_of)
    for one, other in zip(result.folds, finished.folds, strict=True):
        assert one.figures == pytest.approx(other.figures, rel=1e-4)
        assert one.best_epoch == other.best_epoch
        assert open_run(one.path).description["status"] == "finished"
    assert result.final is not None
    assert compare(result, finished).settings["stack"] == (True, None)


def test_the_same_call_finds_it_and_another_does_not(finished: CrossValidation, tmp_path: Path) -> None:
    result = stacked(tmp_path, final=False)
    again = stacked(tmp_path, final=False)
    assert again.path == result.path
    apart = crossvalidate(some_images(), "dae", folds=3, runs=tmp_path, final=False, **SMALL)
    assert apart.path != result.path
    with pytest.raises(UserError, match="was made with stack True, but nothing is asked for"):
        crossvalidate(some_images(), "dae", folds=3, resume=result.path, **SMALL)


def test_an_interrupted_stack_goes_on_where_it_stood(
    finished: CrossValidation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = Stack.step, []

    def step(self: Stack, *rest: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *rest)

    monkeypatch.setattr(Stack, "step", step)
    with pytest.raises(Interrupted, match="the same command goes on") as caught:
        stacked(tmp_path)
    assert caught.value.exit_code == 130
    (place,) = tmp_path.iterdir()
    for number in range(3):
        assert open_run(place / f"fold-{number}").description["status"] == "interrupted"
    result = stacked(tmp_path)
    assert result.path == place
    assert len(calls) == 6, "three steps together in each of two epochs: none is taken twice"
    np.testing.assert_allclose(result.errors, finished.errors, rtol=1e-4)


def test_a_fold_that_fails_is_named_and_the_others_are_kept(
    finished: CrossValidation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fold_run.begin_run

    def poisoned(*given: Any, **options: Any) -> Any:
        begun = original(*given, **options)
        if options["notes"]["fold"] == 1:
            next(begun.model.parameters()).data.fill_(float("nan"))
        return begun

    with monkeypatch.context() as patch:
        patch.setattr(fold_run, "begin_run", poisoned)
        with pytest.raises(LatentiaError, match=r"1 of 3 trainings in .* did not finish: fold 1: training stopped in"):
            stacked(tmp_path)
    result = stacked(tmp_path)
    np.testing.assert_allclose(result.errors, finished.errors, rtol=1e-4)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"jobs": 2}, "stacked folds are trained in this process, not by 2 jobs: leave one of the two out"),
        ({"backend": "loky"}, "trained in this process, not by the backend loky"),
        ({"preset": "dreg-iwae"}, "folds of 'dreg-iwae' cannot be stacked: its gradients would be others"),
        ({"encoder__dropout": 0.1}, "folds of 'dae' cannot be stacked: a part of it cannot be computed for several"),
    ],
)
def test_what_cannot_be_stacked_is_told_before_a_folder_is_made(
    tmp_path: Path, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        stacked(tmp_path, **asked)
    assert not list(tmp_path.iterdir())
