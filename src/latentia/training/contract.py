"""What the trainer asks of an objective."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from latentia.core.noise import Noise
from latentia.core.share import Share


class TrainingObjective(Protocol):
    """What the trainer asks of an objective."""

    headline: str

    def __call__(
        self, model: Any, pixels: Tensor, labels: Tensor | None, noise: Noise, progress: Share = 1.0
    ) -> dict[str, Tensor]:
        """Return the named terms of each image, ``[B]``; ``loss`` is minimised.

        What depends on ``progress``, the share of training done, depends on it without a branch: in a step that is recorded
        it is a tensor, whose value is another one in every replay.
        """

    def evaluate(self, model: Any, pixels: Tensor, labels: Tensor | None, noise: Noise) -> dict[str, Tensor]:
        """Return the terms and figures by which validation judges, ``[B]`` each."""
