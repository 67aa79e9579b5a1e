"""Random translation (LeCun et al. 1998, section III-C), by fractions of a pixel too."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.augmentations._warp import Warp, constants


@dataclasses.dataclass(frozen=True)
class Shift(Warp):
    """Moves every image sideways and up or down.

    Attributes:
        reach: the farthest, as a share of the image's side; uniform up to it.
    """

    reach: float = 0.08

    def __post_init__(self) -> None:
        self.require(0 <= self.reach <= 1, "reach", "between 0 and 1")

    def move(self, points: Tensor, noise: Noise, size: tuple[int, int]) -> Tensor:
        """Return the points moved by their image's own shift."""
        sides = constants(size[1], size[0], device=points.device)
        by = (2 * noise.uniform(1, 1, 2) - 1) * self.reach * sides
        return points + by
