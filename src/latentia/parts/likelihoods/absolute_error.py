"""Absolute error: the Laplace distribution of scale 1, so that -log p is the summed absolute error plus log(2) a pixel."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class AbsoluteError(Likelihood):
    """The summed absolute error as a likelihood: less moved by outliers than squared error. Its mean is the median."""

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the reconstruction."""
        return torch.sigmoid(parameters)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return minus the absolute error of each pixel, minus log(2)."""
        return -(torch.sigmoid(parameters) - pixels).abs() - math.log(2.0)
