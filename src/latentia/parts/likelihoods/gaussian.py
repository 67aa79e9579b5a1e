"""Normal pixels: log N(x; mean(z), variance). Kingma & Welling 2013, appendix C.2; the variance fixed or learned."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import torch
from torch import Tensor

from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class Gaussian(Likelihood):
    """A normal distribution for each pixel.

    Attributes:
        variance: the variance of a pixel in [0, 1], or ``learned``: the decoder gives one for each pixel, between
            ``exp(-9)`` and ``exp(3)``.
    """

    variance: float | Literal["learned"] = 0.05

    def __post_init__(self) -> None:
        self.require(self.variance == "learned" or float(self.variance) > 0, "variance", "above 0 or 'learned'")

    def channels(self, image_channels: int) -> int:
        """Return one channel for the mean and, where it is learned, one for the log variance."""
        return 2 * image_channels if self.variance == "learned" else image_channels

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the mean of the pixels."""
        return torch.sigmoid(self._split(parameters)[0])

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log density of each pixel, in nats."""
        raw, log_variance = self._split(parameters)
        squared = (torch.sigmoid(raw) - pixels).square()
        if isinstance(log_variance, Tensor):
            return -0.5 * (squared * (-log_variance).exp() + log_variance + math.log(2 * math.pi))
        return squared * (-0.5 / math.exp(log_variance)) - 0.5 * (log_variance + math.log(2 * math.pi))

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor | float]:
        if self.variance == "learned":
            raw, log_variance = parameters.chunk(2, dim=-3)
            return raw, -3.0 + 6.0 * torch.tanh(log_variance / 6.0)
        return parameters, math.log(float(self.variance))
