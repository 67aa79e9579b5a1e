"""Winner-take-all code: of every feature map only the largest value stays (Makhzani & Frey 2015, section 3.1).

``lifetime`` is their lifetime sparsity (sections 2 and 3.2): while training, a map stays only for those images of the batch
in which its winner is among the largest. It is the one place where images of a batch meet in the forward pass.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.noise import Noise
from latentia.core.ranks import whole
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.bottlenecks._project import code_shape, projection
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class WinnerTakeAll(Bottleneck):
    """A rectified code in which units compete within their map and, where asked, over the batch.

    Attributes:
        latent_dim: the number of maps, or of units of a vector.
        spatial: keep the positions, and in each map its winner alone; a vector has lifetime sparsity only.
        lifetime: the share of a batch's images for which a map may be active while training; 1 for all. Below 1 the
            codes of evaluation are denser than those the decoder has learned from.
    """

    latent_dim: int = 128
    spatial: bool = True
    lifetime: float = 1.0

    def __post_init__(self) -> None:
        self.require(self.latent_dim >= 1, "latent_dim", "at least 1")
        self.require(0 < self.lifetime <= 1, "lifetime", "above 0 and at most 1")
        self.require(self.spatial or self.lifetime < 1, "lifetime", "below 1 for a vector, which has no other sparsity")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(latent_dim,)`` or ``(latent_dim, h, w)``."""
        return code_shape(self.latent_dim, self.spatial, feature_shape)

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module."""
        return _WinnerTakeAll(self, feature_shape)


class _WinnerTakeAll(BottleneckModule):
    def __init__(self, spec: WinnerTakeAll, feature_shape: Shape) -> None:
        super().__init__()
        self.lifetime = spec.lifetime
        self.project = projection(feature_shape, spec.latent_dim, spec.spatial, hidden=0)

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        units = self.project(features).relu()
        winners = units
        if units.ndim == 4:
            winners = units.amax(dim=(2, 3), keepdim=True)
            units = units * (units >= winners)
        if self.training and self.lifetime < 1:
            rivals = whole(winners.detach())
            least = rivals.topk(max(1, round(self.lifetime * len(rivals))), dim=0).values[-1]
            units = units * (winners >= least)
        return Code(units)
