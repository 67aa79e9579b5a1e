"""How a module is trained: everything that the loop needs to know besides module, objective and data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, Self

from latentia.core.errors import UserError
from latentia.core.launch import launch
from latentia.core.spec import Spec, option

EPOCHS, MOST_EPOCHS, LEAST_STEPS = 20, 500, 3000  # the default: small sets are seen more often


@dataclasses.dataclass(frozen=True)
class TrainSettings(Spec):
    """The settings of the training loop; each field's help says what it is."""

    epochs: int = option(
        0, "how often every training image is seen; 0: 20, and more for small sets (3,000 steps, at most 500 epochs)"
    )
    batch_size: int = option(128, "images a step")
    optimizer: str = option(
        "",
        "one of PyTorch's optimisers or muon, with its options: adam, sgd:momentum=0.9 …; empty: the preset's, mostly adam",
    )
    learning_rate: float = option(2e-3, "the peak of the schedule")
    schedule: Literal["constant", "cosine", "linear", "step"] = option(
        "cosine", "how the learning rate falls after the warm-up"
    )
    warmup: float = option(
        0.02, "share of all steps over which the learning rate rises from 0; at least 100 steps or a tenth; 0: none"
    )
    ema: float = option(0.0, "decay of the running average of the weights, which is then validated and kept; 0: none")
    clip: float = option(0.0, "largest norm of the gradient; 0: no clipping")
    patience: int = option(
        0,
        "epochs without a better validation loss after which training stops; 0: never, but a fifth of all where their number "
        "is chosen for a small set",
    )
    seed: int = option(0, "seed of weights, order and noise")
    device: str = option("auto", "auto, cpu, cuda, cuda:1, mps …")
    precision: Literal["auto", "float32", "bfloat16"] = option("auto", "auto is bfloat16 on GPUs built for it")
    graph: Literal["auto", "off"] = option(
        "auto", "auto: on a GPU a step is recorded once and replayed (CUDA graph), where it can be; off: never"
    )
    shard: bool = option(
        False, "share weights, gradients and the optimiser's state out among the processes that torchrun started (FSDP)"
    )
    compile: bool = option(
        False,
        "let PyTorch's compiler make kernels of the networks: the first step waits, later ones are faster in deep networks",
    )
    checkpoint_seconds: float = option(60.0, "how often, within an epoch, the state to resume from is saved")

    tensorboard: bool = option(
        False, "write figures for TensorBoard too, into the run's folder (pip install 'latentia[tensorboard]')"
    )

    def for_images(self, count: int, optimizer: str = "adam") -> Self:
        """Return the settings with what was left open chosen: epochs and patience for ``count`` images, and the optimiser.

        Small sets are seen often, and sooner or later learned by heart; from then on nothing is gained.
        """
        self.check_shares()
        steps = math.ceil(count / self.batch_size)
        epochs = self.epochs or max(EPOCHS, min(MOST_EPOCHS, math.ceil(LEAST_STEPS / steps)))
        patience = self.patience or (epochs // 5 if not self.epochs and epochs > EPOCHS else 0)
        return dataclasses.replace(self, epochs=epochs, patience=patience, optimizer=self.optimizer or optimizer)

    def check_shares(self) -> None:
        """Raise a :class:`UserError` where a model is to be shared out and there is one process, before anything is made."""
        if self.shard and launch().size == 1:
            raise UserError(
                "--shard shares a model out among the processes of one training: start latentia train or finetune with torchrun, "
                "or leave it out"
            )

    def __post_init__(self) -> None:
        self.require(self.epochs >= 0, "epochs", "0 or more")
        self.require(self.batch_size >= 1, "batch_size", "at least 1")
        self.require(self.learning_rate > 0, "learning_rate", "above 0")
        self.require(0 <= self.warmup < 1, "warmup", "at least 0 and below 1")
        self.require(0 <= self.ema < 1, "ema", "at least 0 and below 1")
        self.require(self.clip >= 0, "clip", "0 or more")
        self.require(self.patience >= 0, "patience", "0 or more")
        self.require(self.checkpoint_seconds > 0, "checkpoint_seconds", "above 0")
        self.require(-(2**63) <= self.seed < 2**63, "seed", "a 64-bit number")


@dataclasses.dataclass(frozen=True)
class FineTuneSettings(TrainSettings):
    """The same for fine-tuning, where steps count rather than epochs: with few labels an epoch is soon over."""

    epochs: int = option(0, "how often every unlabelled image is seen; 0: 15, and more for small sets (1,500 steps)")
    batch_size: int = option(320, "images a step, labelled and unlabelled ones together")
    optimizer: str = option("adam", "one of PyTorch's optimisers or muon, with its options: adam, sgd:momentum=0.9 …")
    learning_rate: float = option(2e-3, "the peak of the schedule, for the head")
    ema: float = option(0.99, "decay of the running average of the weights, which is what is kept; 0: none")
    patience: int = option(0, "epochs without a better validation loss after which training stops; 0: never")

    def for_steps(self, steps_in_epoch: int) -> Self:
        """Return the settings with the number of epochs chosen for so many steps each, where it was left open."""
        self.check_shares()
        if self.epochs:
            return self
        return dataclasses.replace(self, epochs=max(15, min(MOST_EPOCHS, math.ceil(1500 / steps_in_epoch))))


def settings_from(values: dict[str, Any]) -> TrainSettings:
    """Return the settings that ``run.json`` holds."""
    return TrainSettings.from_fields(values, owner="settings")


def settings_json(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings as JSON values."""
    return dataclasses.asdict(settings)
