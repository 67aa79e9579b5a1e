"""Grid patches set to zero, an exact share of them in every image (He et al. 2022, "Masked Autoencoders", section 3).

Deviation: a convolution needs the whole image, so masked patches are zero rather than left out of the encoder.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Patches(Corruption):
    """Zeroes random squares of a grid; where the size does not divide the image, those at the far edges are cut.

    Attributes:
        size: the side of a patch in pixels.
        ratio: the share of an image's patches that is masked, rounded to whole patches.
    """

    size: int = 4
    ratio: float = 0.75

    def __post_init__(self) -> None:
        self.require(self.size >= 1, "size", "at least 1")
        self.require(0 <= self.ratio <= 1, "ratio", "between 0 and 1")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the masked images, and where they were masked."""
        height, width = pixels.shape[-2:]
        rows, columns = -(-height // self.size), -(-width // self.size)
        masked = round(self.ratio * rows * columns)
        # a patch is masked when its draw is among the smallest; a stable sort, so that ties fall alike everywhere
        rank = noise.uniform(rows * columns).argsort(dim=1, stable=True).argsort(dim=1)
        grid = (rank < masked).view(-1, 1, rows, columns)
        off = grid.repeat_interleave(self.size, 2).repeat_interleave(self.size, 3)[..., :height, :width]
        off = off.expand_as(pixels)
        return pixels.masked_fill(off, 0.0), off
