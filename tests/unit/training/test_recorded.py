"""A recorded step gives the numbers of a plain one: here a recorder that runs the function again stands in for the GPU's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from latentia import load
from latentia.core.noise import Keys, Noise
from latentia.data.batches import Batches
from latentia.data.labels import draw_labels
from latentia.finetuning import FineTuning
from latentia.presets import PRESETS, design
from latentia.tasks.finetune import classifier_from, make_trainer
from latentia.training.recorded import RecordedStep, Recorder
from latentia.training.settings import FineTuneSettings, TrainSettings
from latentia.training.trainer import Trainer

SMALL = {"widths": "8,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 3}


def test_keys_give_the_numbers_of_the_address_they_are_filled_with() -> None:
    ids = torch.arange(5)
    keys = Keys(2, "cpu")
    noise = Noise(3, ids, "train", 0, keys=keys)
    first, second = noise.fork("code"), noise.fork("mask")

    def draw() -> list[torch.Tensor]:
        for one in (first, second):
            one._draws = 0
        keys.places.clear()
        return [first.normal(4), first.uniform(2), second.uniform(3)]

    draw()
    keys.fill("train", 7)
    found = draw()
    plain = Noise(3, ids, "train", 7)
    code = plain.fork("code")
    expected = [code.normal(4), code.uniform(2), plain.fork("mask").uniform(3)]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_keys_tell_when_there_is_no_room_left() -> None:
    noise = Noise(0, torch.arange(2), keys=Keys(0, "cpu", room=1))
    noise.uniform(1)
    with pytest.raises(RuntimeError, match="more than 1 times"):
        noise.uniform(1)


def fit(preset: str, options: dict[str, Any], record: Any = None, **settings: Any) -> tuple[Any, Trainer]:
    images = load("digits", "train").select(range(150))
    made = design(preset, {**SMALL, **options})
    model = made.architecture.build(images.format, seed=1)
    batches = Batches(images, images.format, 32, seed=1)
    held = Batches(load("digits", "validation"), images.format, 64)
    asked = TrainSettings(epochs=3, batch_size=32, seed=1, **settings)
    trainer = Trainer(model, made.objective, batches, held, asked, torch.device("cpu"), quiet=True)
    if record is not None:
        trainer._recorded = RecordedStep(trainer.module, trainer._pass, 1, record(trainer.module))
    return trainer.fit(), trainer


def again(module: nn.Module) -> Recorder:
    """Stand in for a recorder: each replay runs the function anew, into the gradients that the recording left."""

    def record(function: Callable[[], None]) -> Callable[[], None]:
        function()
        held = [(one, one.grad) for one in module.parameters() if one.grad is not None]

        def replay() -> None:
            function()
            for parameter, gradient in held:
                assert parameter.grad is not None
                gradient.copy_(parameter.grad)

        return replay

    return record


def refuse(module: nn.Module) -> Recorder:
    def record(function: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing")

    return record


@pytest.mark.parametrize(
    ("preset", "options", "settings"),
    [
        ("cae", {"corruption": "mask"}, {}),
        ("vae", {}, {"ema": 0.9}),
        ("vae", {"bound.warmup": 0.5}, {"clip": 1.0}),
        ("vae", {}, {"optimizer": "muon"}),
    ],
)
def test_a_recorded_training_is_the_plain_one(preset: str, options: Any, settings: Any) -> None:
    expected, plain = fit(preset, options, **settings)
    found, recorded = fit(preset, options, again, **settings)
    assert recorded._recorded is not None and recorded._recorded.ready
    for one, other in zip(found, expected, strict=True):
        assert one["train"] == other["train"] and one["validation"] == other["validation"]
    for name, value in plain.module.state_dict().items():
        assert torch.equal(recorded.module.state_dict()[name], value), name


def test_what_cannot_be_recorded_is_taken_plainly() -> None:
    expected, _ = fit("vae", {})
    found, trainer = fit("vae", {}, refuse)
    assert trainer._recorded is not None and not trainer._recorded.possible
    assert [record["train"] for record in found] == [record["train"] for record in expected]


def test_a_recorded_fine_tuning_is_the_plain_one_from_its_first_steps() -> None:
    images = load("digits", "train").select(range(150))
    labels = draw_labels(images, 30)
    source = design("cae", SMALL).architecture.build(images.format, seed=1)
    how, settings = FineTuning(), FineTuneSettings(epochs=4, batch_size=40, seed=1)

    def fitted(record: Any = None) -> tuple[Any, Trainer]:
        model = classifier_from(source, labels.classes, how, seed=1)
        trainer = make_trainer(model, labels.applied(images), labels, how, settings, torch.device("cpu"), quiet=True)
        if record is not None:
            trainer._recorded = RecordedStep(trainer.module, trainer._pass, 1, record(trainer.module))
        return trainer.fit(), trainer

    expected, plain = fitted()
    found, recorded = fitted(again)
    assert recorded._recorded is not None and recorded._recorded.ready
    assert recorded._recorded._plain == recorded.progress.step, "asked at each step, while consistency rises as well"
    for one, other in zip(found, expected, strict=True):
        assert one["train"] == other["train"]
    for name, value in plain.module.state_dict().items():
        assert torch.equal(recorded.module.state_dict()[name], value), name


class OnTheDevice(TorchDispatchMode):
    """Refuses what a recording would: reading values back, and bringing values over that the device does not have yet."""

    REFUSED = ("_local_scalar_dense", "lift_fresh", "nonzero", "masked_select", "unique", "is_nonzero")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().split("::")[1].partition(".")[0]
        if any(name.startswith(refused) for refused in self.REFUSED):
            raise RuntimeError(f"{name} cannot be recorded")
        flags = [one for one in tree_leaves(args) if isinstance(one, torch.Tensor) and one.dtype == torch.bool]
        if name == "index" and flags:
            raise RuntimeError("an index of flags has a size that must be read back")
        return func(*args, **(kwargs or {}))


def take_on_the_device(trainer: Trainer) -> None:
    """Run the step of a full batch as it would be recorded: its keys lie on the device already."""
    batch, share, keys = next(trainer.train.epoch(0)), torch.tensor(0.2, dtype=torch.float64), Keys(2, "cpu")
    with OnTheDevice():
        trainer._pass(batch, Noise(1, batch.ids, "train", 0, keys=keys), share)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"flow-vae", "vq-vae"}))
def test_the_step_of_a_preset_stays_on_the_device(preset: str) -> None:
    if preset == "fsq":
        pytest.importorskip("vector_quantize_pytorch")
    images, made = load("digits", "train").select(range(64)), design(preset)
    trainer = Trainer(
        made.architecture.build(images.format, seed=1),
        made.objective,
        Batches(images, images.format, 32, seed=1),
        None,
        TrainSettings(epochs=3, batch_size=32),
        torch.device("cpu"),
        quiet=True,
    )
    assert all(getattr(part, "recordable", True) for part in trainer.module.modules())
    take_on_the_device(trainer)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"augmentation": "none", "spreading": False},
        {"augmentation": "chain:steps=flip+elastic+rotation+shift", "reconstruction": 0.1},
        {"scratch": True},
    ],
)
def test_the_step_of_fine_tuning_stays_on_the_device(how: dict[str, Any]) -> None:
    images = load("digits", "train").select(range(150))
    labels, asked = draw_labels(images, 30), FineTuning(**how)
    source = design("cae", SMALL).architecture.build(images.format, seed=1)
    model = classifier_from(source, labels.classes, asked, seed=1)
    settings = FineTuneSettings(epochs=2, batch_size=40)
    take_on_the_device(
        make_trainer(model, labels.applied(images), labels, asked, settings, torch.device("cpu"), quiet=True)
    )


def test_what_does_not_stay_on_the_device_is_found() -> None:
    for wrong in (lambda x: float(x.sum()), lambda x: x * torch.tensor([1.0, 2.0]), lambda x: x[x > 0]):
        with OnTheDevice(), pytest.raises(RuntimeError):
            wrong(torch.ones(2))
