"""Discretised logistic: the probability of an 8-bit value (Kingma et al. 2016, appendix A; Salimans et al. 2017, eq. 2).

Deviation: one logistic for each value rather than a mixture, its location kept in [0, 1] by a sigmoid. In bits per
dimension, its negative log probability compares with the literature's on images of as many levels.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class DiscretisedLogistic(Likelihood):
    """The mass that a logistic distribution of learned width gives to the level a pixel has; the ends take the tails.

    Attributes:
        levels: the number of values a pixel can have: 256 for 8 bits.
    """

    levels: int = 256

    def __post_init__(self) -> None:
        self.require(self.levels >= 2, "levels", "at least 2")

    def channels(self, image_channels: int) -> int:
        """Return one channel for the location and one for the logarithm of the scale."""
        return 2 * image_channels

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the location: the mode, and the mean but for the cut tails."""
        return torch.sigmoid(parameters.chunk(2, dim=-3)[0])

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log probability of each pixel's level, in nats."""
        raw, raw_scale = parameters.chunk(2, dim=-3)
        top = self.levels - 1
        level = (pixels * top).round()
        scale = (-3.0 + 4.0 * torch.tanh(raw_scale / 4.0)).exp()  # of pixels in [0, 1]: between exp(-7) and exp(1)
        above = ((level + 0.5) / top - torch.sigmoid(raw)) / scale
        below = ((level - 0.5) / top - torch.sigmoid(raw)) / scale
        # sigmoid(above) - sigmoid(below) without cancellation
        inner = F.logsigmoid(above) + F.logsigmoid(-below) + (-torch.expm1(-1 / (top * scale))).log()
        ends = torch.where(level <= 0, F.logsigmoid(above), inner)
        return torch.where(level >= top, F.logsigmoid(-below), ends)
