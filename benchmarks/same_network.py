"""What two sides share that train the same network: the network, the loss, and our trainer as a stream of steps."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from latentia.data.batches import Batches
from latentia.parts.convolution import Conv2d, ConvTranspose2d
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

CPU = torch.device("cpu")
BATCH = 128


class Rebuild:
    """Squared error of a plain module's output: the objective of the scripts that we are compared with."""

    headline = "loss"

    def __init__(self, *, summed: bool = False) -> None:
        self.summed = summed

    def __call__(self, model: Any, pixels: Tensor, labels: Any, noise: Any, progress: float = 1.0) -> dict[str, Tensor]:
        error = (model(pixels) - pixels).square().flatten(1)
        return {"loss": error.sum(1) if self.summed else error.mean(1)}

    def evaluate(self, model: Any, pixels: Tensor, labels: Any, noise: Any) -> dict[str, Tensor]:
        return self(model, pixels, labels, noise)


class PythaeNetwork(nn.Module):
    """Pythae's MNIST network (its ``Encoder_Conv_AE_MNIST`` and ``Decoder_Conv_AE_MNIST``), from its published description."""

    def __init__(self, latent_dim: int = 16) -> None:
        super().__init__()
        widths = (1, 128, 256, 512, 1024)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, latent_dim))
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 1024 * 4 * 4),
            nn.Unflatten(1, (1024, 4, 4)),
            ConvTranspose2d(1024, 512, 3, 2, 1),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            ConvTranspose2d(512, 256, 3, 2, 1, output_padding=1),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            ConvTranspose2d(256, 1, 3, 2, 1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(images))
        return found


def trainer_of(module: nn.Module, objective: Any, images: Any, batch: int = BATCH, rate: float = 1e-3) -> Trainer:
    settings = TrainSettings(epochs=100, batch_size=batch, learning_rate=rate, schedule="constant", warmup=0.0)
    return Trainer(module, objective, Batches(images, images.format, batch, seed=0), None, settings, CPU, quiet=True)


class Stream:
    """Steps of a trainer on an epoch's batches, data handling included."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.epoch, self.batches = trainer, 0, iter(())

    def rate(self, steps: int) -> float:
        started, seen = time.perf_counter(), 0
        for _ in range(steps):
            batch = next(self.batches, None)
            if batch is None:
                self.epoch += 1
                self.batches = self.trainer.train.epoch(self.epoch)
                batch = next(self.batches)
            self.trainer._add(self.trainer.train_step(batch, self.epoch), batch.counted)
            seen += len(batch)
        return seen / (time.perf_counter() - started)
