"""Small random affine maps: rotation, scale and shear (LeCun et al. 1998, section III-C)."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.augmentations._warp import Warp


@dataclasses.dataclass(frozen=True)
class Rotation(Warp):
    """Turns, scales and shears every image about its centre; each is uniform up to its limit, both ways.

    Attributes:
        degrees: the largest angle.
        scale: the largest change of each side, as a share of it.
        shear: the largest shear: pixels sideways for each pixel downwards.
    """

    degrees: float = 12.0
    scale: float = 0.12
    shear: float = 0.12

    def __post_init__(self) -> None:
        self.require(0 <= self.degrees <= 180, "degrees", "between 0 and 180")
        self.require(0 <= self.scale < 1, "scale", "at least 0 and below 1")
        self.require(0 <= self.shear <= 1, "shear", "between 0 and 1")

    def move(self, points: Tensor, noise: Noise, size: tuple[int, int]) -> Tensor:
        """Return the points under their image's own map."""
        angle, wide, high, slant = (2 * noise.uniform(4, 1, 1) - 1).unbind(1)
        turn = angle * math.radians(self.degrees)
        x, y = points.unbind(-1)
        x, y = x + self.shear * slant * y, y
        x, y = turn.cos() * x - turn.sin() * y, turn.sin() * x + turn.cos() * y
        return torch.stack([x * (1 + self.scale * wide), y * (1 + self.scale * high)], dim=-1)
