"""What a model makes of images that its own objective's corruption has spoilt."""

from __future__ import annotations

import dataclasses

import numpy as np

from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import batches, format_for, to_pixels


@dataclasses.dataclass(frozen=True)
class Restoration:
    """Images, the same corrupted, and what the model restores from these; all of one format."""

    clean: ImageSet
    corrupted: ImageSet
    restored: ImageSet


def corrupt_and_restore(
    model: Autoencoder, objective: Objective, images: ImageSet, *, seed: int = 0
) -> Restoration | None:
    """Return ``images`` corrupted as in training, and restored; ``None`` where the objective corrupts nothing.

    Raises:
        UserError: model and images do not fit each other.
    """
    if objective.corruption.name == "none":
        return None
    pixel_format = format_for(model, images)
    spoilt, restored = [], []
    with evaluating(model):
        for batch in batches(model, images):
            noisy, _ = objective.corruption(batch.pixels, Noise(seed, batch.ids, "picture", "corruption"))
            spoilt.append(to_pixels(noisy, pixel_format))
            restored.append(to_pixels(model(noisy), pixel_format))
    return Restoration(images, images.with_pixels(np.concatenate(spoilt)), images.with_pixels(np.concatenate(restored)))
