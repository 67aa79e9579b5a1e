"""What the trainer asks of an objective."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from latentia.core.noise import Noise


class TrainingObjective(Protocol):
    """What the trainer asks of an objective."""

    headline: str

    def __call__(
        self, model: Any, pixels: Tensor, labels: Tensor | None, noise: Noise, progress: float = 1.0
    ) -> dict[str, Tensor]:
        """Return the named terms of each image, ``[B]``; ``loss`` is minimised."""

    def evaluate(self, model: Any, pixels: Tensor, labels: Tensor | None, noise: Noise) -> dict[str, Tensor]:
        """Return the terms and figures by which validation judges, ``[B]`` each."""

    def steady(self, progress: float) -> bool:
        """Return whether from this share of training on, the loss depends on batch and noise alone."""
