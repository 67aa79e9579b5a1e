"""Squared error: the Gaussian whose variance is 1/2, so that -log p is the summed squared error plus log(pi)/2 a pixel."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class SquaredError(Likelihood):
    """The summed squared error as a likelihood, of variance 1/2."""

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the reconstruction."""
        return torch.sigmoid(parameters)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return minus the squared error of each pixel, minus log(pi)/2."""
        return -(torch.sigmoid(parameters) - pixels).square() - 0.5 * math.log(math.pi)
