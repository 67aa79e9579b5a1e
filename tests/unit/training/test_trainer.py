from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import IMAGES, same, small_run, weights
from torch import nn

from latentia import load, open_run, train
from latentia.core.errors import UserError
from latentia.data.batches import Batches
from latentia.presets import design
from latentia.training.device import resolve_device
from latentia.training.optimizers import build_optimizer, optimizer_names
from latentia.training.schedule import factor
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer


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


def test_options_of_an_optimizer_that_are_left_to_pytorch_can_be_said() -> None:
    groups = [{"params": list(nn.Linear(3, 2).parameters())}]
    plain = build_optimizer("sgd:fused=false,foreach=true,momentum=0.5", groups, 0.1)
    assert (plain.defaults["fused"], plain.defaults["foreach"], plain.defaults["momentum"]) == (False, True, 0.5)
    assert build_optimizer("sgd", groups, 0.1).defaults["fused"] is True
    assert build_optimizer("adam:foreach=true", groups, 0.1).defaults["foreach"] is True
    with pytest.raises(UserError, match="cannot be made: `fused` and `foreach` cannot be `True` together"):
        build_optimizer("adam:foreach=true,fused=true", groups, 0.1)


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
    assert TrainSettings().for_images(1_000).patience == 75
    assert TrainSettings(patience=7).for_images(1_000).patience == 7
    assert TrainSettings(epochs=375).for_images(1_000).patience == 0
    assert TrainSettings().for_images(1_000).for_images(1_000) == TrainSettings().for_images(1_000)


def test_a_small_set_is_not_trained_on_when_nothing_is_gained(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=0, batch_size=32, learning_rate=0.05)  # noise, soon learned by heart
    best, patience = run.description["best_epoch"], run.description["settings"]["patience"]
    assert run.description["settings"]["epochs"] == 500 and patience == 100
    assert len(run.history) == min(500, best + patience)
    assert len(run.history) < 500
    assert f"{len(run.history)} of 500 epochs (no better one in the last 100)" in run.summary()
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
