"""Additive isotropic Gaussian noise, x + sigma * eps (Vincent et al. 2010, section 3.3)."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Gaussian(Corruption):
    """Adds normal noise to every value.

    Attributes:
        sigma: the standard deviation, where pixels span 0 to 1.
        clip: bring the result back into [0, 1], as a camera would; the noise is then no longer normal.
    """

    sigma: float = 0.25
    clip: bool = False

    def __post_init__(self) -> None:
        self.require(self.sigma >= 0, "sigma", "0 or more")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the noisy images and a mask of everything (of nothing where ``sigma`` is 0)."""
        noisy = pixels + self.sigma * noise.normal(*pixels.shape[1:]).to(pixels.dtype)
        if self.clip:
            noisy = noisy.clamp(0.0, 1.0)
        return noisy, torch.full_like(pixels, self.sigma > 0, dtype=torch.bool)
