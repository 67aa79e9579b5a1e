"""No corruption: the plain autoencoder."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class NoCorruption(Corruption):
    """Leaves the images as they are."""

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the images and a mask of nothing."""
        return pixels, torch.zeros_like(pixels, dtype=torch.bool)
