"""Salt-and-pepper noise: a share of the values is set to black or white (Vincent et al. 2010, section 3.3)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class SaltAndPepper(Corruption):
    """Sets values to 0 or 1.

    Attributes:
        p: the probability that a value is set.
        salt: among those, the share that becomes 1.
        share: whether the channels of a pixel share one fate.
    """

    p: float = 0.25
    salt: float = 0.5
    share: bool = False

    def __post_init__(self) -> None:
        self.require(0 <= self.p <= 1, "p", "between 0 and 1")
        self.require(0 <= self.salt <= 1, "salt", "between 0 and 1")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the images with salt and pepper, and where it fell."""
        channels, height, width = pixels.shape[1:]
        drawn = noise.uniform(1 if self.share else channels, height, width).expand_as(pixels)
        fallen = drawn < self.p
        return pixels.masked_fill(fallen, 0.0).masked_fill(drawn < self.p * self.salt, 1.0), fallen
