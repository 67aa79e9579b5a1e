"""The standard normal prior of the variational autoencoder (Kingma & Welling 2013, section 3)."""

from __future__ import annotations

import dataclasses
import math

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Prior, PriorModule, Shape
from latentia.parts.code import DiagonalNormal


@dataclasses.dataclass(frozen=True)
class StandardNormal(Prior):
    """Independent units of mean 0 and variance 1; without parameters."""

    def build(self, code_shape: tuple[int, ...], image_shape: Shape) -> PriorModule:
        """Return the module."""
        return _StandardNormal(code_shape)


class _StandardNormal(PriorModule):
    def __init__(self, code_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.code_shape = code_shape

    def log_prob(self, z: Tensor, model: object) -> Tensor:
        return (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).flatten(-len(self.code_shape)).sum(-1)

    def sample(self, noise: Noise, model: object) -> Tensor:
        return noise.normal(*self.code_shape)

    def kl(self, posterior: DiagonalNormal, z: Tensor, model: object) -> Tensor:
        return posterior.kl_to_standard_normal()
