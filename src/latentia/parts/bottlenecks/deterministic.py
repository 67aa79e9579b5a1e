"""The plain bottleneck: the code is a function of the image (Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.bottlenecks._project import code_shape, projection
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Deterministic(Bottleneck):
    """A linear map from the features to the code, rectified on request.

    Attributes:
        latent_dim: the number of units of the code; of channels at each position when ``spatial``.
        spatial: keep the positions: the code is ``[B, latent_dim, h, w]``, which may hold more numbers than the image.
        hidden: units of a dense layer before the code; 0 for no such layer, ``none`` for as many as the
            encoder likes. Not used when ``spatial``.
        relu: set negative units to zero, so that a sparse code has exact zeros.
    """

    latent_dim: int = 16
    spatial: bool = False
    hidden: int | None = None
    relu: bool = False

    def __post_init__(self) -> None:
        self.require(self.latent_dim >= 1, "latent_dim", "at least 1")
        self.require(self.hidden is None or self.hidden >= 0, "hidden", "0 or more, or none")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(latent_dim,)`` or ``(latent_dim, h, w)``."""
        return code_shape(self.latent_dim, self.spatial, feature_shape)

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module."""
        return _Deterministic(self, feature_shape)


class _Deterministic(BottleneckModule):
    def __init__(self, spec: Deterministic, feature_shape: Shape) -> None:
        super().__init__()
        self.project = projection(feature_shape, spec.latent_dim, spec.spatial, spec.hidden or 0)
        self.relu = spec.relu

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        z = self.project(features)
        return Code(z.relu() if self.relu else z)
