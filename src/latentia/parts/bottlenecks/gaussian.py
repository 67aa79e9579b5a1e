"""A normal posterior over codes, drawn by re-parameterisation (Kingma & Welling 2013, eq. 4 and appendix C.2)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.bottlenecks._project import code_shape, projection
from latentia.parts.code import Code, DiagonalNormal


@dataclasses.dataclass(frozen=True)
class Gaussian(Bottleneck):
    """Mean and standard deviation of each unit come from the features; the code is sampled when noise is given.

    Attributes:
        latent_dim: the number of units; of channels at each position when ``spatial``.
        spatial: keep the positions.
        hidden: units of a dense layer before the code; 0 for no such layer, ``none`` for as many as the encoder likes.
    """

    stochastic = True

    latent_dim: int = 16
    spatial: bool = False
    hidden: int | None = None

    def __post_init__(self) -> None:
        self.require(self.latent_dim >= 1, "latent_dim", "at least 1")
        self.require(self.hidden is None or self.hidden >= 0, "hidden", "0 or more, or none")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(latent_dim,)`` or ``(latent_dim, h, w)``."""
        return code_shape(self.latent_dim, self.spatial, feature_shape)

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module."""
        return _Gaussian(self, feature_shape)


class _Gaussian(BottleneckModule):
    def __init__(self, spec: Gaussian, feature_shape: Shape) -> None:
        super().__init__()
        self.project = projection(feature_shape, 2 * spec.latent_dim, spec.spatial, spec.hidden or 0)

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        mean, log_std = self.project(features).chunk(2, dim=1)
        # no exp() of a huge number while weights are still wild: the deviation stays between exp(-7) and exp(7)
        posterior = DiagonalNormal(mean, 7.0 * (log_std / 7.0).tanh())
        return Code(mean if noise is None else posterior.rsample(noise), posterior)
