"""Binary pixels: x log p + (1 - x) log(1 - p). Kingma & Welling 2013, appendix C.1.

Grey pixels can be made binary: drawn anew at every sight with their grey as probability (dynamic binarisation, Burda et
al. 2016, section 5), or cut at one half. Only then is the result a log probability that may be compared with others'.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Likelihood


@dataclasses.dataclass(frozen=True)
class Bernoulli(Likelihood):
    """A Bernoulli distribution for each pixel; for pixels between 0 and 1 it is the cross-entropy, not a density.

    Attributes:
        binarise: ``none`` takes pixels as they are; ``dynamic`` draws each as 1 with its grey as probability, anew in every
            epoch; ``threshold`` takes 1 from one half on.
    """

    binarise: Literal["none", "dynamic", "threshold"] = "none"

    def observe(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return the images as ``binarise`` asks: ``[B, C, H, W]``."""
        if self.binarise == "dynamic":
            return (noise.uniform(*pixels.shape[1:]) < pixels).to(pixels.dtype)
        if self.binarise == "threshold":
            return (pixels >= 0.5).to(pixels.dtype)
        return pixels

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the probability of a white pixel."""
        return torch.sigmoid(parameters)

    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return the log probability of each pixel, in nats."""
        return pixels * parameters - F.softplus(parameters)
