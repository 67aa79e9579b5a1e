from __future__ import annotations

import errno
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from latentia import load, open_run, train
from latentia.core.errors import Interrupted, StorageError, TrainingDiverged, UserError
from latentia.data.batches import Batches
from latentia.data.imageset import from_array
from latentia.presets import design
from latentia.training import trainer as trainer_module
from latentia.training.device import resolve_device
from latentia.training.optimizers import build_optimizer, optimizer_names
from latentia.training.run_folder import RunFolder
from latentia.training.schedule import factor
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

SMALL = {"widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 3}
IMAGES = from_array(np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8))


def small_run(tmp_path: Path, data: Any = IMAGES, **more: Any) -> Any:
    settings = {"epochs": 3, "batch_size": 16, "seed": 1, "quiet": True, "figures": False, "runs": tmp_path, **more}
    return train(data, options=SMALL, **settings)


def weights(run: Any) -> dict[str, torch.Tensor]:
    return run.model.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int = signal.SIGTERM) -> None:
    """Let this process receive a signal in the middle of training."""
    original = Trainer.train_step
    count = 0

    def counted(self: Trainer, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count == steps:
            os.kill(os.getpid(), number)
        return original(self, *args)

    monkeypatch.setattr(Trainer, "train_step", counted)


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
        with pytest.raises(Interrupted, match="go on with --resume"):
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
        trainer_module, "save_checkpoint", lambda *state: (written.append(state[5].epoch), original(*state))
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


def test_equal_seeds_give_equal_weights_and_others_do_not(tmp_path: Path) -> None:
    first, second, other = small_run(tmp_path), small_run(tmp_path), small_run(tmp_path, seed=2)
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(other))


def test_training_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    small_run(tmp_path, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_a_saved_run_gives_the_same_output_to_the_bit(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    pixels = torch.rand(5, 1, 8, 8)
    assert torch.equal(open_run(run.path).model(pixels), run.model(pixels))


def test_the_best_epoch_is_kept(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=8, learning_rate=0.3, schedule="constant", warmup=0.0)
    losses = [record["validation"]["loss"] for record in run.history]
    assert run.description["best_epoch"] == int(np.argmin(losses)) + 1
    held = run.images(IMAGES)
    assert np.isfinite(run.reconstruction(held).errors).all()


def test_early_stopping_waits_for_patience(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=60, learning_rate=0.2, schedule="constant", patience=3)
    losses = [record["validation"]["loss"] for record in run.history]
    assert len(losses) < 60
    assert len(losses) - (int(np.argmin(losses)) + 1) == 3


def test_training_lowers_the_loss_of_real_digits(tmp_path: Path) -> None:
    run = train(load("digits", "train").select(range(300)), epochs=12, runs=tmp_path, quiet=True, figures=False)
    first, last = run.history[0]["validation"]["mse"], run.history[-1]["validation"]["mse"]
    assert last < 0.75 * first


def test_averaged_weights_are_what_is_kept(tmp_path: Path) -> None:
    plain, averaged = small_run(tmp_path), small_run(tmp_path, ema=0.99)
    assert not same(weights(plain), weights(averaged))
    assert plain.history[0]["train"] == averaged.history[0]["train"], "averaging does not change training itself"


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


@pytest.mark.parametrize("name", ["cosine", "linear", "step", "constant"])
def test_schedules_rise_then_fall(name: str) -> None:
    values = [factor(name, step, 100, 0.1) for step in range(100)]
    assert values[:10] == sorted(values[:10])
    assert values[10:] == sorted(values[10:], reverse=True)
    assert max(values) == pytest.approx(1.0)
    assert min(values) > 0


@pytest.mark.parametrize("name", sorted(optimizer_names()))
def test_every_optimizer_takes_a_step(name: str) -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    optimizer = build_optimizer(name, [{"params": list(layer.parameters())}], 0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert not torch.equal(before, layer.weight)


def test_wrong_settings_get_a_sentence(tmp_path: Path) -> None:
    for options, sentence in [
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"optimizer": "adam:betta=1"}, "has no option 'betta'"),
        ({"epochs": -1}, "epochs is -1, but it must be 0 or more"),
        ({"learning_rate": "fast"}, "must be a number"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"device": "cuda:7"}, "is not available"),
        ({"device": "gpu"}, "there is no device 'gpu'"),
        ({"preset": "dea"}, "did you mean 'dae'"),
        ({"latent_dim": 0}, "latent_dim is 0, but it must be at least 1"),
        ({"latnt_dim": 3}, "'latnt_dim' does not exist here; did you mean"),
        ({"encoder": "convv"}, "did you mean 'conv'"),
    ]:
        with pytest.raises(UserError) as caught:
            train(IMAGES, runs=tmp_path, quiet=True, **options)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_device_is_chosen_or_refused() -> None:
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    assert resolve_device("cpu") == torch.device("cpu")


def test_layers_come_along_from_another_run(tmp_path: Path) -> None:
    first = small_run(tmp_path)
    said: list[str] = []
    second = small_run(tmp_path, init_from=first, epochs=1, learning_rate=1e-9, say=said.append)
    moved = next(text for text in said if "came along" in text)
    assert "encoder.layers.0" in moved
    assert "new: nothing" in moved
    assert torch.allclose(
        weights(first)["encoder.layers.0.weight"], weights(second)["encoder.layers.0.weight"], atol=1e-5
    )
    with pytest.raises(UserError, match="no layer of"):
        train(
            IMAGES,
            encoder="dense",
            init_from=first,
            runs=tmp_path,
            quiet=True,
            options={"encoder.widths": "7", "latent_dim": 2},
        )


def test_batches_are_every_image_once_in_an_order_of_their_own() -> None:
    batches = Batches(IMAGES, IMAGES.format, 16, seed=3)
    epochs = [torch.cat([batch.ids for batch in batches.epoch(epoch)]) for epoch in (0, 1)]
    assert all(sorted(ids.tolist()) == list(range(60)) for ids in epochs)
    assert not torch.equal(*epochs)
    rest = torch.cat([batch.ids for batch in batches.epoch(0, start=2)])
    assert torch.equal(rest, epochs[0][32:])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_batches_agree_with_the_format(tmp_path: Path, dtype: str) -> None:
    pixels = (np.random.default_rng(0).random((20, 2, 5, 5)) * 200).astype(dtype)
    np.save(tmp_path / "x.npy", pixels)
    on_disk, in_memory = load(tmp_path / "x.npy"), load(pixels)
    assert isinstance(on_disk.pixels, np.memmap)
    for images in (on_disk, in_memory):
        found = {
            int(i): p
            for batch in Batches(images, images.format, 6, seed=1)
            for i, p in zip(batch.ids, batch.pixels, strict=True)
        }
        expected = images.format.to_unit(pixels)
        assert all(np.array_equal(found[index].numpy(), expected[index]) for index in range(20))


def test_settings_choose_the_epochs_by_the_number_of_images() -> None:
    assert TrainSettings().for_images(54_000).epochs == 20
    assert TrainSettings().for_images(1_000).epochs == 375
    assert TrainSettings().for_images(10_000).epochs == 38
    assert TrainSettings().for_images(20).epochs == 500
    assert TrainSettings(epochs=3).for_images(10).epochs == 3


def test_settings_choose_the_patience_with_the_epochs_of_small_sets() -> None:
    assert TrainSettings().for_images(54_000).patience == 0
    assert TrainSettings().for_images(1_000).patience == 125
    assert TrainSettings(patience=7).for_images(1_000).patience == 7
    assert TrainSettings(epochs=375).for_images(1_000).patience == 0
    assert TrainSettings().for_images(1_000).for_images(1_000) == TrainSettings().for_images(1_000)


def test_a_small_set_is_not_trained_on_when_nothing_is_gained(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=0, batch_size=32, learning_rate=0.05)  # noise, soon learned by heart
    best, patience = run.description["best_epoch"], run.description["settings"]["patience"]
    assert run.description["settings"]["epochs"] == 500 and patience == 166
    assert len(run.history) == min(500, best + patience)
    assert len(run.history) < 500
    assert f"{len(run.history)} of 500 epochs (no better one in the last 166)" in run.summary()
    assert "4 epochs in" in small_run(tmp_path, epochs=4).summary()


def test_a_design_can_be_anything_with_an_objective() -> None:
    """The loop takes any module and objective: here a linear classifier."""

    class CrossEntropy:
        headline = "loss"

        def __call__(self, model: Any, pixels: Any, labels: Any, noise: Any, progress: float = 1.0) -> Any:
            return {"loss": nn.functional.cross_entropy(model(pixels.flatten(1)), labels, reduction="none")}

        def evaluate(self, model: Any, pixels: Any, labels: Any, noise: Any) -> Any:
            return self(model, pixels, labels, noise)

    digits = load("digits", "train")
    batches = Batches(digits, digits.format, 64, seed=0)
    settings = TrainSettings(epochs=5, learning_rate=0.01)
    history = Trainer(nn.Linear(64, 10), CrossEntropy(), batches, None, settings, torch.device("cpu"), quiet=True).fit()
    assert history[-1]["train"]["loss"] < 0.5 * history[0]["train"]["loss"]


def test_presets_keep_what_they_say() -> None:
    chosen = design("vae:beta=4,latent_dim=7", {"corruption": "mask", "corruption.p": "0.25"})
    assert chosen.objective.bound.fields()["beta"] == 4.0
    assert chosen.architecture.bottleneck.fields()["latent_dim"] == 7
    assert chosen.objective.corruption.fields()["p"] == 0.25
    wide = design("cae", {"encoder": "residual:widths=(8,16)", "weight.reconstruction": 2})
    assert wide.architecture.decoder.name == "residual"
    assert wide.architecture.decoder.fields()["widths"] == [8, 16]
    with pytest.raises(UserError, match="the loss has no term 'kl'"):
        design("cae", {"weight.kl": 1})
    with pytest.raises(UserError, match="needs a posterior"):
        design("cae", {"bound": "iwae"})
