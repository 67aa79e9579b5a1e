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

_NEAR = 0.02  # below it the closed forms lose digits to cancellation, and two terms of the series are exact in float32


@dataclasses.dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """A density on [0, 1] for each pixel, with the shape of the cross-entropy."""

    def mean(self, parameters: Tensor) -> Tensor:
        """Return E[x]; it is nearer to 1/2 than the parameter."""
        near = parameters.abs() < _NEAR
        safe = torch.where(near, torch.ones_like(parameters), parameters)
        far = torch.sigmoid(safe) / (2 * torch.sigmoid(safe) - 1) - 1 / safe
        return torch.where(near, 0.5 + parameters / 12, far).clamp(0.0, 1.0)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log density of each pixel, in nats."""
        near = parameters.abs() < _NEAR
        safe = torch.where(near, torch.ones_like(parameters), parameters).abs()
        far = safe.log() - (safe / 2).tanh().log()
        normaliser = torch.where(near, math.log(2.0) + parameters.square() / 12, far)
        return pixels * parameters - F.softplus(parameters) + normaliser
