"""Elastic distortion: a smooth random field of displacements (Simard et al. 2003, section 2).

Deviation: the field is a sum of Gaussian bumps on a coarse lattice rather than blurred noise, which costs far less and has
the same strength everywhere.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.augmentations._warp import Warp, constants


@dataclasses.dataclass(frozen=True)
class Elastic(Warp):
    """Bends every image.

    Attributes:
        strength: the standard deviation of the displacements, as a share of the image's side.
        smoothness: the width of the bumps, as a share of the side.
    """

    strength: float = 0.025
    smoothness: float = 0.15

    def __post_init__(self) -> None:
        self.require(0 <= self.strength <= 1, "strength", "between 0 and 1")
        self.require(0.02 <= self.smoothness <= 1, "smoothness", "between 0.02 and 1")

    def move(self, points: Tensor, noise: Noise, size: tuple[int, int]) -> Tensor:
        """Return the points displaced; the field lies over the picture that results."""
        height, width = size
        rows, columns = self._bumps(height, points.device), self._bumps(width, points.device)
        drawn = noise.normal(2, rows.shape[1], columns.shape[1])
        # one by one, in an order of our own: a product of matrices may round by the size of its batch
        lines = torch.zeros(len(drawn), 2, height, columns.shape[1], device=points.device)
        for i in range(rows.shape[1]):
            lines = lines + rows[:, i, None] * drawn[:, :, i, None, :]
        field = torch.zeros(len(drawn), 2, height, width, device=points.device)
        for j in range(columns.shape[1]):
            field = field + columns[:, j] * lines[..., j, None]
        field = field * constants(width, height, device=points.device).view(2, 1, 1)
        return points + self.strength * field.permute(0, 2, 3, 1)

    def _bumps(self, side: int, device: torch.device) -> Tensor:
        """Return ``[side, bumps]``: the weight of each bump at each pixel; the sum of their squares is one."""
        count = max(2, math.ceil(1 / (1.5 * self.smoothness)) + 1)
        centres = torch.linspace(0, 1, count, device=device)
        places = (torch.arange(side, device=device) + 0.5) / side
        weights = (-0.5 * ((places.unsqueeze(1) - centres) / self.smoothness).square()).exp()
        return weights / weights.square().sum(1, keepdim=True).sqrt()
