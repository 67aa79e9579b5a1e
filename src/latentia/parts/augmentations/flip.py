"""Mirror images: right for photographs, wrong for digits and letters (Krizhevsky et al. 2012, section 4.1)."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.augmentations._warp import Warp, constants


@dataclasses.dataclass(frozen=True)
class Flip(Warp):
    """Mirrors every image with probability one half.

    Attributes:
        horizontal: left and right change places.
        vertical: top and bottom do.
    """

    horizontal: bool = True
    vertical: bool = False

    def move(self, points: Tensor, noise: Noise, size: tuple[int, int]) -> Tensor:
        """Return the points of the images, some of them mirrored."""
        may = constants(self.horizontal, self.vertical, device=points.device)
        mirrored = (noise.uniform(1, 1, 2) < 0.5) & may
        return torch.where(mirrored, -points, points)
