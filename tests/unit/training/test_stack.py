"""What is trained in a stack is what is trained alone, up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_recorded import again
from torch import Tensor, nn

from latentia.core.errors import TrainingDiverged, UserError
from latentia.core.noise import Keys, Noise, StackedKeys
from latentia.data.batches import Batches
from latentia.data.imageset import from_array
from latentia.presets import PRESETS, design
from latentia.training import stack as stack_module
from latentia.training import trainer as trainer_module
from latentia.training.initial import initial_model
from latentia.training.progress import ProgressBar
from latentia.training.recorded import RecordedStep
from latentia.training.settings import TrainSettings
from latentia.training.signals import StopSignals
from latentia.training.stack import Stack, check_stackable, train_together
from latentia.training.trainer import Trainer
from latentia.training.update import Updates

CPU = torch.device("cpu")
SMALL = {"widths": "4,8", "latent_dim": 3}
IMAGES = from_array(np.random.default_rng(0).integers(0, 256, (120, 8, 8), dtype=np.uint8))
COUNTS = (32, 33, 40)  # two full batches of 16; those and one image; those and half a batch
NOT_STACKABLE = {"contractive", "dreg-iwae", "flow-vae", "vq-vae"}
PACKAGES = {"vq-vae": "vector_quantize_pytorch", "fsq": "vector_quantize_pytorch", "flow-vae": "zuko"}


def members(preset: str = "cae", options: dict[str, Any] | None = None, **settings: Any) -> list[Trainer]:
    made, found = design(preset, SMALL if options is None else options), []
    for number, count in enumerate(COUNTS):
        asked = TrainSettings(**{"epochs": 3, "batch_size": 16, **settings, "seed": number})
        images = IMAGES.select(range(5 * number, 5 * number + count))
        batches = Batches(images, IMAGES.format, 16, seed=number)
        held = Batches(IMAGES.select(range(80, 120)), IMAGES.format, 64)
        model = initial_model(made.architecture, images, number)
        found.append(Trainer(model, made.objective, batches, held, asked, CPU, quiet=True))
    return found


def fit_together(trainers: list[Trainer]) -> list[Any]:
    with StopSignals() as signals, ProgressBar(1, 1, 0, quiet=True) as bar:
        return train_together(trainers, [trainer.course(signals, bar) for trainer in trainers])


def alike(one: Trainer, other: Trainer, rel: float = 1e-4) -> None:
    assert len(one.history) == len(other.history) and one.progress.best_epoch == other.progress.best_epoch
    for first, second in zip(one.history, other.history, strict=True):
        assert first["train"] == pytest.approx(second["train"], rel=rel, abs=1e-6)
        assert first["validation"] == pytest.approx(second["validation"], rel=rel, abs=1e-6)
        assert first["learning_rate"] == second["learning_rate"]
    theirs = other.module.state_dict()
    for name, value in one.module.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=rel, atol=1e-4, msg=name)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of members of each step that is taken by one pass."""
    sizes, original = [], Stack._pass

    def counted(self: Stack, *rest: Any) -> Any:
        sizes.append(len(self.members))
        return original(self, *rest)

    monkeypatch.setattr(Stack, "_pass", counted)
    return sizes


@pytest.mark.parametrize(
    ("preset", "options", "settings"),
    [
        ("cae", SMALL, {}),
        ("vae", SMALL, {"ema": 0.9, "clip": 1.0}),
        ("vae", {**SMALL, "bound.warmup": 0.5}, {"optimizer": "adamw:weight_decay=0.1"}),
        ("dae", {"widths": "8", "latent_dim": 2}, {"optimizer": "muon"}),
        ("denoising-cae", SMALL, {"optimizer": "sgd:momentum=0.9", "learning_rate": 1e-4, "schedule": "step"}),
        ("wae-mmd", SMALL, {}),
    ],
)
def test_each_member_learns_what_it_learns_alone(
    joined: list[int], preset: str, options: dict[str, Any], settings: dict[str, Any]
) -> None:
    alone, together = members(preset, options, **settings), members(preset, options, **settings)
    for trainer in alone:
        trainer.fit()
    assert fit_together(together) == [None, None, None]
    for one, other in zip(together, alone, strict=True):
        alike(one, other)
    assert joined and set(joined) == {3}


def test_full_batches_are_taken_together_and_the_last_ones_by_themselves(joined: list[int]) -> None:
    trainers = members()
    fit_together(trainers)
    assert joined == [3] * 6, "two in each of three epochs"
    assert [trainer.progress.step for trainer in trainers] == [6, 9, 9]


def test_one_that_diverges_leaves_the_others_to_go_on() -> None:
    alone, together = members(), members()
    for trainer in alone:
        trainer.fit()
    with torch.no_grad():
        next(together[1].module.parameters()).fill_(float("nan"))
    first, failed, last = fit_together(together)
    assert isinstance(failed, TrainingDiverged) and first is None and last is None
    alike(together[0], alone[0])
    alike(together[2], alone[2])


def test_one_whose_patience_is_at_an_end_stops_for_itself() -> None:
    settings = {"epochs": 12, "patience": 1, "learning_rate": 0.03, "schedule": "constant"}
    alone, together = members(**settings), members(**settings)
    for trainer in alone:
        trainer.fit()
    assert fit_together(together) == [None, None, None]
    assert len({len(trainer.history) for trainer in alone}) > 1, "this test needs members that stop at different epochs"
    for one, other in zip(together, alone, strict=True):
        alike(one, other, rel=1e-3)


def test_time_is_counted_once() -> None:
    together = members()
    fit_together(together)
    assert [trainer.sharing_time for trainer in together] == [1, 1, 1]
    stack = Stack(together)
    assert [trainer.sharing_time for trainer in together] == [3, 3, 3]
    stack.dissolve()


def test_weights_are_each_members_own_again_afterwards() -> None:
    together = members()
    fit_together(together)
    places = [next(trainer.module.parameters()).untyped_storage() for trainer in together]
    assert len({place.data_ptr() for place in places}) == 3
    assert all(place.nbytes() == 4 * next(together[0].module.parameters()).numel() for place in places)


def presets() -> list[Any]:
    return [pytest.param(name, id=name) for name in sorted(PRESETS)]


@pytest.mark.parametrize("preset", presets())
def test_every_preset_can_be_stacked_or_says_that_it_cannot(preset: str) -> None:
    if preset in PACKAGES:
        pytest.importorskip(PACKAGES[preset])
    trainers = members(preset, {})[:2]
    if preset not in NOT_STACKABLE:
        check_stackable(trainers)
        return
    with pytest.raises(UserError, match=r"for several networks at once"):
        check_stackable(trainers)


def test_what_draws_by_itself_cannot_be_stacked() -> None:
    with pytest.raises(
        UserError, match="a part of it cannot be computed for several networks at once, such as dropout"
    ):
        check_stackable(members("cae", {**SMALL, "encoder.dropout": 0.5}))


class Normalised(nn.Module):
    """A network with a batch's statistics in it, which are kept in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.SiLU(), nn.Conv2d(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Rebuild:
    headline = "loss"

    def __call__(
        self, model: Any, pixels: Tensor, labels: Any, noise: Noise, progress: float = 1.0
    ) -> dict[str, Tensor]:
        noisy = pixels + 0.1 * noise.normal(*pixels.shape[1:])
        return {"loss": (model(noisy) - pixels).square().flatten(1).mean(1)}

    def evaluate(self, model: Any, pixels: Tensor, labels: Any, noise: Noise) -> dict[str, Tensor]:
        with torch.no_grad():
            return self(model, pixels, labels, noise)


def test_buffers_are_stacked_as_well() -> None:
    def made() -> list[Trainer]:
        found = []
        for seed, count in enumerate(COUNTS):
            torch.manual_seed(seed)
            batches = Batches(IMAGES.select(range(count)), IMAGES.format, 16, seed=seed)
            held = Batches(IMAGES.select(range(80, 120)), IMAGES.format, 64)
            settings = TrainSettings(epochs=3, batch_size=16, seed=seed, optimizer="sgd")
            found.append(Trainer(Normalised(), Rebuild(), batches, held, settings, CPU, quiet=True))
        return found

    alone, together = made(), made()
    for trainer in alone:
        trainer.fit()
    fit_together(together)
    for one, other in zip(together, alone, strict=True):
        alike(one, other)
    assert int(together[0].module.state_dict()["layers.1.num_batches_tracked"]) == 2 * together[0].progress.best_epoch


def test_half_precision_is_that_of_each_alone() -> None:
    alone, together = members(precision="bfloat16"), members(precision="bfloat16")
    for trainer in alone:
        trainer.fit()
    fit_together(together)
    for one, other in zip(together, alone, strict=True):
        assert one.history[-1]["validation"] == pytest.approx(other.history[-1]["validation"], rel=1e-2)


def test_a_recorded_stack_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"epochs": 6}
    plain, replayed = members("vae", **settings), members("vae", **settings)
    fit_together(plain)
    made = []

    def recording(module: nn.Module, step: Any, seed: int, keys: Callable[..., Keys] = Keys) -> RecordedStep:
        made.append(RecordedStep(module, step, seed, again(module), keys))
        return made[-1]

    monkeypatch.setattr(stack_module, "RecordedStep", recording)
    monkeypatch.setattr(trainer_module, "RecordedStep", recording)
    sizes = []

    def recording_updates(updates: Any, device: torch.device, records: bool) -> Updates:
        sizes.append(len(updates))
        return Updates(updates, device, records, record=lambda function: function)

    monkeypatch.setattr(stack_module, "Updates", recording_updates)
    monkeypatch.setattr(trainer_module, "Updates", recording_updates)
    monkeypatch.setattr(Trainer, "records", True)
    fit_together(replayed)
    assert any(step.ready and isinstance(step.module, nn.ParameterList) for step in made) and 3 in sizes
    for one, other in zip(replayed, plain, strict=True):
        alike(one, other)


def test_keys_of_a_stack_are_those_of_each_member() -> None:
    ids, seeds, epochs = torch.arange(12).view(3, 4), (5, 6, 7), (0, 2, 1)
    keys = StackedKeys(seeds, 2, "cpu")

    def draw(some: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        keys.member = number
        noise = Noise(0, some, "train", epochs, keys=keys).fork("code")
        return noise.normal(3), noise.uniform(2)

    def drawn() -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = torch.vmap(draw)(ids, torch.arange(3))
        return found

    keys.at("train", epochs)
    found = drawn()
    keys.fill("train", 4)
    keys.places.clear()
    later = drawn()
    for number, seed in enumerate(seeds):
        for epoch, both in ((epochs[number], found), (4, later)):
            noise = Noise(seed, ids[number], "train", epoch).fork("code")
            assert torch.equal(both[0][number], noise.normal(3)) and torch.equal(both[1][number], noise.uniform(2))
