"""Random rectangles set to zero (DeVries & Taylor 2017, "Cutout"; as a task to fill in, Pathak et al. 2016).

Deviation: the rectangles differ in size and lie wholly inside the image.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Blocks(Corruption):
    """Zeroes ``count`` rectangles in every image; they may overlap.

    Attributes:
        count: how many.
        low: the least side of a rectangle, as a share of the image's side.
        high: the greatest.
    """

    count: int = 1
    low: float = 0.25
    high: float = 0.5

    def __post_init__(self) -> None:
        self.require(self.count >= 1, "count", "at least 1")
        self.require(0 < self.low <= self.high, "low", "above 0 and at most high")
        self.require(self.high <= 1, "high", "at most 1")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the images with their holes, and where these are."""
        height, width = pixels.shape[-2:]
        drawn = noise.uniform(4, self.count)
        rows = self._inside(drawn[:, 0], drawn[:, 1], height)
        columns = self._inside(drawn[:, 2], drawn[:, 3], width)
        holes = (rows.unsqueeze(-1) & columns.unsqueeze(-2)).any(1)
        holes = holes.unsqueeze(1).expand_as(pixels)
        return pixels.masked_fill(holes, 0.0), holes

    def _inside(self, size: Tensor, place: Tensor, side: int) -> Tensor:
        """Return bool ``[B, count, side]``: which lines of a side the rectangles cover."""
        length = ((self.low + (self.high - self.low) * size) * side).round().clamp(1, side)
        start = (place * (side - length + 1)).floor()
        line = torch.arange(side, device=size.device)
        return (line >= start.unsqueeze(-1)) & (line < (start + length).unsqueeze(-1))
