"""No augmentation: the images as they are."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Augmentation


@dataclasses.dataclass(frozen=True)
class NoAugmentation(Augmentation):
    """Leaves the images as they are."""

    def __call__(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return the images."""
        return pixels
