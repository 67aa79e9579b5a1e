from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_studies import SMALL, some_images

from latentia import open_run
from latentia.core.errors import Interrupted, LatentiaError, UserError
from latentia.studies import crossvalidation as module
from latentia.studies import workers
from latentia.studies.crossvalidation import crossvalidate
from latentia.studies.fold_run import Outcome, run_fold
from latentia.studies.result import CrossValidation, compare, open_crossvalidation
from latentia.tasks.reconstruct import reconstruct


def state(path: Path) -> dict[str, tuple[int, str]]:
    return {
        str(file): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for fold in path.glob("fold-*")
        for file in fold.rglob("*")
        if file.is_file()
    }


def test_every_image_is_judged_by_a_model_that_has_not_seen_it(finished: CrossValidation) -> None:
    pixels = some_images()
    assert (np.asarray(finished.images.pixels)[:, 0] == pixels).all()
    for fold in finished.folds:
        run = open_run(fold.path)
        test = fold.fold.test
        result = reconstruct(run.model, finished.images.select(test))
        np.testing.assert_array_equal(finished.errors[test], result.errors)
        np.testing.assert_array_equal(finished.reconstructions.pixels[test], result.images.pixels)
        np.testing.assert_array_equal(finished.codes[test], run.embed(finished.images.select(test)))
        assert fold.figures["reconstruction_mse"] == pytest.approx(result.errors.mean())
        assert (finished.fold_of[test] == fold.number).all()
        assert run.description["data"]["train"]["count"] == len(fold.fold.train)
    assert finished.errors[finished.worst(3)].tolist() == sorted(finished.errors.tolist(), reverse=True)[:3]


def test_the_table_says_what_it_must(finished: CrossValidation) -> None:
    text = str(finished)
    for words in (
        "dae on array: 3 folds of 30 images",
        "reconstruction_mse",
        "95 % interval",
        "--repeats 3",
        "near-dup",
    ):
        assert words in text
    assert "final model, refitted on all 30 images" in text


def test_it_loads_again(finished: CrossValidation) -> None:
    again = open_crossvalidation(finished.path)
    assert str(again) == str(finished)
    np.testing.assert_array_equal(again.errors, finished.errors)
    assert json.loads((finished.path / "result.json").read_text())["metrics"]["loss"]["mean"] > 0


def test_the_final_model_saw_everything_and_carries_the_figures(finished: CrossValidation) -> None:
    assert finished.final is not None
    run = open_run(finished.final)
    assert run.description["data"]["train"]["count"] == 30
    kept = run.description["crossvalidation"]["figures"]["reconstruction_mse"]
    assert kept["mean"] == finished.metrics["reconstruction_mse"].mean
    assert len(run.history) == sorted(fold.best_epoch for fold in finished.folds)[1]


def test_the_same_call_trains_nothing_again(finished: CrossValidation) -> None:
    before, said = state(finished.path), []
    again = crossvalidate(
        some_images(), "dae", folds=3, runs=finished.path.parent, say=said.append, **{**SMALL, "quiet": False}
    )
    assert again.path == finished.path
    assert state(again.path) == before
    assert "3 of 3 folds are finished" in said[0]


def test_processes_change_no_figure(finished: CrossValidation, tmp_path: Path) -> None:
    result = crossvalidate(some_images(), "dae", folds=3, runs=tmp_path, jobs=2, final=False, **SMALL)
    assert result.final is None
    np.testing.assert_array_equal(result.errors, finished.errors)
    np.testing.assert_array_equal(result.codes, finished.codes)
    assert compare(result, finished).p_value == 1


def interrupting(result: str, number: int) -> Outcome:
    """Do fold 1 with a Ctrl-C at its third step."""
    from latentia.training.trainer import Trainer

    if number != 1:
        return run_fold(result, number)
    original, calls = Trainer.train_step, []

    def step(self: Any, *rest: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", step)
        return run_fold(result, number)


def failing(result: str, number: int) -> Outcome:
    return Outcome(number, "the loss is no longer finite") if number == 0 else run_fold(result, number)


def test_an_interrupted_fold_is_taken_up_again(
    finished: CrossValidation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run_folds", lambda *given: workers.run_folds(*given, work=f"{__name__}:interrupting"))
    with pytest.raises(Interrupted, match="the same command goes on") as caught:
        crossvalidate(some_images(), "dae", folds=3, runs=tmp_path, **SMALL)
    assert caught.value.exit_code == 130
    monkeypatch.undo()
    with pytest.raises(UserError, match="is unfinished: 2 of 3 folds"):
        open_crossvalidation(next(tmp_path.iterdir()))
    before = state(next(tmp_path.iterdir()) / "..")
    first = {name: value for name, value in before.items() if "fold-0" in name}
    result = crossvalidate(some_images(), "dae", folds=3, runs=tmp_path, **SMALL)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(result.errors, finished.errors)
    assert first.items() <= state(next(tmp_path.iterdir()) / "..").items()


def dying(result: str, number: int) -> Outcome:
    if number == 1:
        os._exit(1)
    return run_fold(result, number)


def test_a_dead_worker_is_reported_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "run_folds", lambda *given: workers.run_folds(*given, work=f"{__name__}:dying"))
    with pytest.raises(LatentiaError, match=r"1 of 3 trainings in .* fold 1: its worker process died") as caught:
        crossvalidate(some_images(), folds=3, runs=tmp_path, jobs=2, say=said.append, **SMALL)
    assert "\n" not in str(caught.value)
    before = state(next(tmp_path.iterdir()))
    monkeypatch.undo()
    result = crossvalidate(some_images(), folds=3, runs=tmp_path, **SMALL)
    assert before.items() <= state(result.path).items()
    assert np.isfinite(result.errors).all()


def test_a_failed_fold_is_named_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_folds", lambda *given: workers.run_folds(*given, work=f"{__name__}:failing"))
    with pytest.raises(LatentiaError, match=r"1 of 3 trainings in .* fold 0: the loss is no longer finite"):
        crossvalidate(some_images(), folds=3, runs=tmp_path, **SMALL)


def test_a_folder_of_other_settings_is_refused(finished: CrossValidation) -> None:
    with pytest.raises(UserError, match=r"was made with folds 3, but 4 is asked for: give the same settings"):
        crossvalidate(some_images(), "dae", folds=4, resume=finished.path, **SMALL)
    with pytest.raises(UserError, match=r"made with settings.learning_rate 0.002, but 0.001 is asked for"):
        crossvalidate(some_images(), "dae", folds=3, resume=finished.path, learning_rate=1e-3, **SMALL)
    with pytest.raises(UserError, match="made with data '"):
        crossvalidate(255 - some_images(), "dae", folds=3, resume=finished.path, **SMALL)
    with pytest.raises(UserError, match="not a cross-validation"):
        crossvalidate(some_images(), "dae", folds=3, resume=finished.folds[0].path, **SMALL)


def test_repeats_are_averaged(tmp_path: Path) -> None:
    result = crossvalidate(some_images(12), folds=2, repeats=2, runs=tmp_path, final=False, **SMALL)
    assert [fold.fold.repeat for fold in result.folds] == [0, 0, 1, 1]
    own = [reconstruct(open_run(fold.path).model, result.images) for fold in result.folds]
    seen = [number for number, fold in enumerate(result.folds) if 5 in fold.fold.test]
    assert result.errors[5] == pytest.approx(np.mean([own[number].errors[5] for number in seen]), rel=1e-5)
    assert result.fold_of[5] == seen[0]
    assert "2 folds, 2 times" in str(result)


def test_images_that_no_fold_held_out_have_no_verdict(tmp_path: Path) -> None:
    from sklearn.model_selection import ShuffleSplit

    splitter = ShuffleSplit(1, test_size=0.2, random_state=0)
    result = crossvalidate(some_images(), splitter=splitter, runs=tmp_path, final=False, **SMALL)
    assert np.isnan(result.errors).sum() == 24
    assert len(result.worst(10)) == 6
    assert "one fold gives no interval" in str(result)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_other_pixels_keep_one_range_over_folds(tmp_path: Path, dtype: str) -> None:
    pixels = some_images(20).astype(dtype) * (200 if dtype == "uint16" else 0.1)
    result = crossvalidate(pixels.astype(dtype), folds=2, runs=tmp_path, final=False, **SMALL)
    assert len({open_run(fold.path).model.format for fold in result.folds}) == 1
    assert result.reconstructions.pixels.dtype == dtype


def test_comparing_needs_the_same_folds(finished: CrossValidation, tmp_path: Path) -> None:
    other = crossvalidate(some_images(), "cae", folds=3, runs=tmp_path, final=False, **SMALL)
    found = compare(finished, other)
    pairs = zip(finished.metrics["reconstruction_mse"].values, other.metrics["reconstruction_mse"].values, strict=True)
    assert found.difference.values == tuple(one - two for one, two in pairs)
    assert "corrected paired t-test over 3 folds" in str(found)
    with pytest.raises(UserError, match="there is no figure called 'kl'"):
        compare(finished, other, "kl")
    third = crossvalidate(some_images(), "cae", folds=3, split_seed=1, runs=tmp_path, final=False, **SMALL)
    with pytest.raises(UserError, match="are not of the same folds, so their folds cannot be paired"):
        compare(finished, third)


def test_the_last_folds_take_what_cores_would_stay_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for cores in (1, 2, 4, 8):
        monkeypatch.setattr(workers, "_threads_here", lambda cores=cores: cores)
        found[cores] = workers.choose_threads(0, 5)
    assert found == {1: (1,) * 6, 2: (1, 1, 1, 1, 2, 2), 4: (1, 1, 1, 1, 4, 4), 8: (1, 1, 1, 1, 1, 8)}
    assert workers.choose_threads(3, 2) == (3, 3, 3)
    assert workers.choose_threads(0, 5, remote=True) == (1,) * 6


def test_threads_are_those_the_result_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number of cores finds the same result, and its unfinished folds get what they would have had."""
    monkeypatch.setattr(workers, "_threads_here", lambda: 2)
    first = crossvalidate(some_images(), folds=3, runs=tmp_path, final=False, **SMALL)
    assert first.description["threads"] == [1, 1, 2, 2]
    monkeypatch.setattr(workers, "_threads_here", lambda: 4)
    again = crossvalidate(some_images(), folds=3, runs=tmp_path, final=False, **SMALL)
    assert again.path == first.path and again.description["threads"] == [1, 1, 2, 2]


def test_numbers_out_of_range(tmp_path: Path) -> None:
    for name, value in (("threads_per_fold", -1), ("jobs", -1)):
        with pytest.raises(UserError, match=f"{name} is {value}, but it must be"):
            crossvalidate(some_images(), runs=tmp_path, **{name: value}, **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_splitter_that_tears_near_duplicates_apart_is_told_on(tmp_path: Path) -> None:
    from sklearn.model_selection import GroupKFold, KFold

    pixels = np.concatenate([some_images(15), some_images(15)])  # every image twice
    loose = crossvalidate(pixels, splitter=KFold(3), runs=tmp_path, final=False, **SMALL)
    note = loose.description["duplicates"]["note"]
    assert (
        "15 of 30 images are near-duplicates of another, and the splitter does not keep them together: 30 images"
        in note
    )
    assert "stay in its fold" not in str(loose)
    kept = crossvalidate(pixels, splitter=GroupKFold(3), runs=tmp_path, final=False, **SMALL)
    assert "15 of 30 images are near-duplicates of another and stay in its fold" in str(kept)
    groups = np.arange(30) % 2
    torn = crossvalidate(some_images(), groups=groups, splitter=KFold(3), runs=tmp_path, final=False, **SMALL)
    assert "the splitter does not keep groups together: 30 images" in str(torn)


class Halves:
    """A splitter with no text form of its own: its ``repr`` is another one each time."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        yield np.arange(15), np.arange(15, 30)
        yield np.arange(15, 30), np.arange(15)


def test_a_splitter_of_ones_own_finds_its_result_again(tmp_path: Path) -> None:
    first = crossvalidate(some_images(), splitter=Halves(), runs=tmp_path, final=False, **SMALL)
    again = crossvalidate(some_images(), splitter=Halves(), runs=tmp_path, final=False, **SMALL)
    assert again.path == first.path


def test_pixels_that_lie_in_a_file_are_not_copied(finished: CrossValidation, tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    np.save(file, some_images(40))
    result = crossvalidate(file, folds=3, runs=tmp_path / "runs", **SMALL)
    assert not (result.path / "images" / "pixels.npy").exists()
    held = len(result.images)
    assert held == 36  # the test images are left out
    np.testing.assert_array_equal(np.asarray(result.images.pixels)[:, 0], some_images(40)[result.images.ids])
    copied = crossvalidate(np.asarray(result.images.pixels), folds=3, runs=tmp_path / "copied", **SMALL)
    assert (copied.path / "images" / "pixels.npy").exists()
    before = state(result.path)
    os.utime(file)  # touched, but the same
    assert crossvalidate(file, folds=3, runs=tmp_path / "runs", **SMALL).path == result.path
    assert state(result.path) == before
    np.save(file, 255 - some_images(40))
    with pytest.raises(UserError, match=r"lie in .*images.npy, which has changed since: bring the old file back"):
        _ = open_crossvalidation(result.path).images
    file.unlink()
    with pytest.raises(UserError, match=r"lie in .*images.npy, which is not there"):
        _ = open_crossvalidation(result.path).images


def test_a_slice_of_a_mapped_file_is_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", some_images(40))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for part in (mapped[5:35], mapped[::-1]):
        result = crossvalidate(part, folds=3, runs=tmp_path / "runs", final=False, **SMALL)
        np.testing.assert_array_equal(np.asarray(result.images.pixels)[:, 0], part)


def test_the_public_result_draws_itself(finished: CrossValidation) -> None:
    from latentia import api

    result = api.open_crossvalidation(finished.path)
    assert [axes.get_xlabel() for axes in result.figure().axes][-1] == "epoch"
    assert "out-of-fold" in result.figure("fold-figures").axes[0].get_xlabel()
    with pytest.raises(UserError, match="there is no picture called 'loss'"):
        result.figure("loss")
    assert {path.stem for path in result.draw()} == {"loss-bands", "fold-figures", "worst-out-of-fold"}


def test_a_fold_is_a_run_like_any_other(finished: CrossValidation) -> None:
    described = json.loads((finished.folds[1].path / "run.json").read_text())
    assert described["fold"] == 1
    assert described["status"] == "finished"
    assert described["created"] == finished.description["created"]
