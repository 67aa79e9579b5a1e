"""k-sparse code: only the k largest units of each image stay (Makhzani & Frey 2013, section 2.1).

Deviations: k does not start high and fall while training; and a spatial code keeps k channels at each position.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.bottlenecks._project import code_shape, projection
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class KSparse(Bottleneck):
    """A linear code of which all but the largest units are set to zero.

    Attributes:
        latent_dim: the number of units; of channels at each position when ``spatial``.
        k: how many stay while training.
        alpha: ``alpha * k`` stay while evaluating; a little above 1 serves classifiers (section 2.2).
        spatial: keep the positions.
    """

    latent_dim: int = 128
    k: int = 16
    alpha: float = 1.0
    spatial: bool = False

    def __post_init__(self) -> None:
        self.require(self.latent_dim >= 1, "latent_dim", "at least 1")
        self.require(1 <= self.k <= self.latent_dim, "k", f"between 1 and latent_dim ({self.latent_dim})")
        self.require(self.alpha > 0, "alpha", "above 0")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(latent_dim,)`` or ``(latent_dim, h, w)``."""
        return code_shape(self.latent_dim, self.spatial, feature_shape)

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module."""
        return _KSparse(self, feature_shape)


class _KSparse(BottleneckModule):
    def __init__(self, spec: KSparse, feature_shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.project = projection(feature_shape, spec.latent_dim, spec.spatial, hidden=0)

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        units = self.project(features)
        kept = self.spec.k if self.training else round(self.spec.alpha * self.spec.k)
        kept = min(max(kept, 1), self.spec.latent_dim)
        places = units.topk(kept, dim=1).indices
        return Code(units * torch.zeros_like(units).scatter(1, places, 1.0))
