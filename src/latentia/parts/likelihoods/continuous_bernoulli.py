"""Continuous Bernoulli: the Bernoulli's cross-entropy, normalised over [0, 1] (Loaiza-Ganem & Cunningham 2019, eq. 5-7).

With the logit ``a`` of its parameter, log p(x) = a x - softplus(a) + log(a / tanh(a / 2)), a density where the Bernoulli
of grey pixels is none.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.parts.base import Likelihood

_NEAR = 0.1  # below it the closed forms lose digits to cancellation, and the series' terms given are exact in float32


@dataclasses.dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """A density on [0, 1] for each pixel, with the shape of the cross-entropy."""

    def mean(self, parameters: Tensor) -> Tensor:
        """Return E[x]; it is nearer to 1/2 than the parameter."""
        near = parameters.abs() < _NEAR
        safe = torch.where(near, torch.ones_like(parameters), parameters)
        far = -1 / torch.expm1(-safe) - 1 / safe
        series = 0.5 + parameters / 12 - parameters**3 / 720
        return torch.where(near, series, far).clamp(0.0, 1.0)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log density of each pixel, in nats."""
        near = parameters.abs() < _NEAR
        safe = torch.where(near, torch.ones_like(parameters), parameters).abs()
        far = safe.log() - (safe / 2).tanh().log()
        square = parameters.square()
        normaliser = torch.where(near, math.log(2.0) + square / 12 - 7 * square.square() / 1440, far)
        return pixels * parameters - F.softplus(parameters) + normaliser
