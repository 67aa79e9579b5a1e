"""Binary pixels: x log p + (1 - x) log(1 - p). Kingma & Welling 2013, appendix C.1."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class Bernoulli(Likelihood):
    """A Bernoulli distribution for each pixel; for pixels between 0 and 1 it is the cross-entropy, not a density."""

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the probability of a white pixel."""
        return torch.sigmoid(parameters)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log probability of each pixel, in nats."""
        return pixels * parameters - F.softplus(parameters)
