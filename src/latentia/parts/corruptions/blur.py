"""Gaussian blur of a random strength, the degradation of restoration tasks (Gonzalez & Woods, chapter 5).

The kernel is sampled at whole pixels, cut at three standard deviations and normalised; edges are repeated.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Blur(Corruption):
    """Blurs every image with its own standard deviation, drawn between ``low`` and ``high``.

    Attributes:
        low: the least standard deviation, in pixels.
        high: the greatest.
    """

    low: float = 0.5
    high: float = 1.5

    def __post_init__(self) -> None:
        self.require(0 < self.low <= self.high, "low", "above 0 and at most high")

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the blurred images and a mask of everything."""
        sigma = self.low + (self.high - self.low) * noise.uniform(1)
        reach = math.ceil(3 * self.high)
        offsets = torch.arange(-reach, reach + 1, device=pixels.device)
        weights = (-0.5 * (offsets / sigma).square()).exp()
        weights = weights.masked_fill(offsets.abs() > (3 * sigma).ceil(), 0.0)
        weights = (weights / weights.sum(1, keepdim=True)).to(pixels.dtype)
        blurred = _slide(_slide(pixels, weights, reach).mT, weights, reach).mT
        return blurred.contiguous(), torch.ones_like(pixels, dtype=torch.bool)


def _slide(pixels: Tensor, weights: Tensor, reach: int) -> Tensor:
    """Convolve each row with its image's ``weights [B, 2 * reach + 1]``.

    Shifts are added one by one, in an order of our own: a convolution's rounding may depend on the batch it is called with.
    """
    width = pixels.shape[-1]
    padded = F.pad(pixels, (reach, reach, 0, 0), mode="replicate")
    total = torch.zeros_like(pixels)
    for shift in range(2 * reach + 1):
        total = total + weights[:, shift].view(-1, 1, 1, 1) * padded[..., shift : shift + width]
    return total
