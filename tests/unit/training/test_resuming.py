"""What a run leaves in its folder, however it ends, and how it goes on from there."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import IMAGES, same, small_run, stop_after, weights

from latentia import open_run, train
from latentia.core.errors import Interrupted, StorageError, TrainingDiverged, UserError
from latentia.training import trainer as trainer_module
from latentia.training.run_folder import RunFolder
from latentia.training.trainer import Trainer


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "schedule": "cosine"},
        {"optimizer": "adamw:weight_decay=0.1", "schedule": "linear", "ema": 0.9},
        {"optimizer": "sgd:momentum=0.9,nesterov=true", "schedule": "step", "clip": 1.0, "learning_rate": 1e-4},
        {"optimizer": "rmsprop", "schedule": "constant", "patience": 2},
        {"optimizer": "muon:weight_decay=0.01", "schedule": "cosine", "ema": 0.9},
    ],
)
@pytest.mark.parametrize("steps", [1, 4, 6])
def test_a_resumed_run_is_bit_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], steps: int
) -> None:
    options = {**settings, "preset": "dae:encoder.dropout=0.2"}
    whole = small_run(tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(Interrupted, match="go on with latentia train --resume"):
            small_run(tmp_path / "cut", **options)
    (folder,) = (tmp_path / "cut").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    resumed = train(IMAGES, resume=folder, quiet=True, figures=False)
    assert same(weights(whole), weights(resumed))
    figures = [[(r["train"], r.get("validation")) for r in run.history] for run in (whole, resumed)]
    assert figures[0] == figures[1]


def test_the_same_call_again_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small_run(tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(Interrupted):
            small_run(tmp_path, into=tmp_path / "here")
    again = small_run(tmp_path, into=tmp_path / "here")
    assert again.path == tmp_path / "here"
    assert same(weights(whole), weights(again))
    stamp = (again.path / "last" / "checkpoint.safetensors").stat().st_mtime_ns
    finished = small_run(tmp_path, into=tmp_path / "here")
    assert same(weights(whole), weights(finished))
    assert (again.path / "last" / "checkpoint.safetensors").stat().st_mtime_ns == stamp, "nothing is trained again"


@pytest.mark.parametrize("apart", [0.0, 1e9])
def test_quick_epochs_are_written_down_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: float) -> None:
    monkeypatch.setattr(trainer_module, "EPOCHS_APART", apart)
    original, written = trainer_module.save_checkpoint, []
    monkeypatch.setattr(
        trainer_module,
        "save_checkpoint",
        lambda path, state: (written.append(state[1]["progress"]["epoch"]), original(path, state)),
    )
    run = small_run(tmp_path, epochs=5, checkpoint_seconds=1e9)
    assert written == ([1, 2, 3, 4, 5] if apart == 0 else [1, 5]), (
        "the first, so that there is something to resume from"
    )
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert same(weights(run), weights(open_run(run.path)))


@pytest.mark.parametrize("steps", [10, 11, 12, 13, 14])  # one of them ends an epoch
@pytest.mark.parametrize("how", ["signal", "kill"])
def test_epochs_that_were_not_written_down_are_saved_or_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, steps: int
) -> None:
    monkeypatch.setattr(trainer_module, "EPOCHS_APART", 1e9)
    options: dict[str, Any] = {"epochs": 6, "checkpoint_seconds": 1e9, "learning_rate": 0.1, "warmup": 0.0}
    whole = small_run(tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        if how == "signal":
            stop_after(patch, steps)
            with pytest.raises(Interrupted):
                small_run(tmp_path, into=tmp_path / "cut", **options)
        else:
            original, count = Trainer.train_step, iter(range(steps))

            def killed(self: Trainer, *args: Any) -> Any:
                if next(count, None) is None:
                    raise RuntimeError
                return original(self, *args)

            patch.setattr(Trainer, "train_step", killed)
            with pytest.raises(RuntimeError):
                small_run(tmp_path, into=tmp_path / "cut", **options)
    held = [json.loads(line)["epoch"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert len(held) == 1 if how == "kill" else len(held) > 1
    again = small_run(tmp_path, into=tmp_path / "cut", **options)
    assert same(weights(whole), weights(again))
    assert [record["train"] for record in whole.history] == [record["train"] for record in again.history]


@pytest.mark.parametrize(
    ("other", "difference"),
    [({"epochs": 4}, "its settings.epochs is 3, not 4"), ({"preset": "dae"}, "its preset is 'cae', not 'dae'")],
)
def test_a_folder_with_another_run_is_not_gone_on_with(tmp_path: Path, other: dict[str, Any], difference: str) -> None:
    small_run(tmp_path, into=tmp_path / "here")
    with pytest.raises(
        UserError, match=re.escape(f"here holds a run of other images or settings ({difference}): name an")
    ):
        small_run(tmp_path, into=tmp_path / "here", **other)


def test_a_run_of_an_earlier_version_did_as_the_default_of_a_new_setting(tmp_path: Path) -> None:
    small_run(tmp_path, into=tmp_path / "here")
    path = tmp_path / "here" / "run.json"
    described = json.loads(path.read_text())
    del described["settings"]["graph"]
    path.write_text(json.dumps(described))
    small_run(tmp_path, into=tmp_path / "here")
    with pytest.raises(UserError, match=r"settings\.graph is 'auto', not 'off'"):
        small_run(tmp_path, into=tmp_path / "here", graph="off")


def test_a_loss_that_is_not_finite_stops_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Trainer.train_step
    calls = 0

    def poisoned(self: Trainer, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:  # in the second epoch of four steps
            with torch.no_grad():
                next(self.module.parameters()).fill_(float("nan"))
        return original(self, *args)

    monkeypatch.setattr(Trainer, "train_step", poisoned)
    with pytest.raises(TrainingDiverged, match=r"epoch 2.*last good state is kept.*--learning-rate"):
        small_run(tmp_path)
    (folder,) = tmp_path.iterdir()
    run = open_run(folder)
    assert len(run.history) == 1
    assert all(bool(torch.isfinite(value).all()) for value in weights(run).values())
    assert run.description["status"].startswith("failed")


def test_what_was_good_before_a_loss_that_is_not_finite_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "EPOCHS_APART", 1e9)
    original, count = Trainer.train_step, iter(range(14))
    kept: dict[str, torch.Tensor] = {}

    def poisoned(self: Trainer, *args: Any) -> Any:
        if next(count, None) is None:
            kept.update(self.best_state or {})
            with torch.no_grad():
                next(self.module.parameters()).fill_(float("nan"))
        return original(self, *args)

    options: dict[str, Any] = {"epochs": 6, "checkpoint_seconds": 1e9}
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", poisoned)
        with pytest.raises(TrainingDiverged, match="last good state is kept"):
            small_run(tmp_path, into=tmp_path / "cut", **options)
    cut = open_run(tmp_path / "cut")
    assert len(cut.history) > 1
    assert same(weights(cut), kept)
    again = small_run(tmp_path, into=tmp_path / "cut", **options)
    whole = small_run(tmp_path / "whole", **options)
    assert same(weights(whole), weights(again))
    assert [record["train"] for record in whole.history] == [record["train"] for record in again.history]


def test_a_full_disk_stops_with_a_sentence_and_keeps_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import latentia.training.checkpoint as checkpoint

    original, calls = checkpoint.save_tensors, 0

    def full(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            import latentia.core.atomic as atomic

            def refuse(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            with monkeypatch.context() as patch:
                patch.setattr(atomic.os, "replace", refuse)
                original(*args, **kwargs)
        original(*args, **kwargs)

    monkeypatch.setattr(trainer_module, "save_checkpoint", _with(full, trainer_module.save_checkpoint, monkeypatch))
    with pytest.raises(StorageError, match="the disk is full"):
        small_run(tmp_path)
    monkeypatch.undo()
    (folder,) = tmp_path.iterdir()
    assert not list(folder.rglob("*.tmp-*"))
    resumed = train(IMAGES, resume=folder, quiet=True, figures=False)
    assert same(weights(resumed), weights(small_run(tmp_path / "whole")))


def _with(save: Any, original: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*args: Any) -> None:
        monkeypatch.setattr("latentia.training.checkpoint.save_tensors", save)
        original(*args)

    return call


def test_other_images_are_refused_when_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(Interrupted):
            small_run(tmp_path)
    (folder,) = tmp_path.iterdir()
    with pytest.raises(UserError, match="its train images have changed"):
        train(IMAGES.select(range(50)), resume=folder, quiet=True)
    with pytest.raises(UserError, match="hand the same images over"):
        train(resume=folder, quiet=True)


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=1)
    first, second = RunFolder.open(run.path), RunFolder.open(run.path)
    first.lock()
    with pytest.raises(UserError, match="another process is training"):
        second.lock()
    first.release()
    second.lock()
    second.release()


def test_run_folders_are_numbered(tmp_path: Path) -> None:
    names = [small_run(tmp_path, epochs=1).path.name for _ in range(3)]
    assert names == ["0001-array-cae", "0002-array-cae", "0003-array-cae"]
