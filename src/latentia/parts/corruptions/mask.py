"""Masking noise: a binary mask turns off about half of the inputs (Vincent et al. 2008, section 2.3)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Mask(Corruption):
    """Bad image = good image x binary mask; what is kept is not rescaled (it is not ``nn.Dropout``).

    Attributes:
        p: the probability that a value is set to zero.
        share: whether the channels of a pixel share one fate.
    """

    p: float = 0.5
    share: bool = False

    def __post_init__(self) -> None:
        self.require(0 <= self.p <= 1, "p", "between 0 and 1")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the masked images and where they were turned off."""
        channels, height, width = pixels.shape[1:]
        off = noise.uniform(1 if self.share else channels, height, width) < self.p
        off = off.expand_as(pixels)
        return pixels.masked_fill(off, 0.0), off
