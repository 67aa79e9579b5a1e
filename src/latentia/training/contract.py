"""What the trainer asks of an objective, and what it says to whoever takes the steps of its course."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from torch import Tensor

from latentia.core.noise import Noise
from latentia.core.share import Share
from latentia.data.batches import Batch

Terms = dict[str, Tensor]
Course = Generator[Batch, Terms, None]  # yields a batch, and is sent the terms of the step that was taken with it


def advance(course: Course, terms: Terms) -> Batch | None:
    """Hand the terms of a step on and return the next batch; ``None`` at the course's end."""
    try:
        return course.send(terms)
    except StopIteration:
        return None


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
