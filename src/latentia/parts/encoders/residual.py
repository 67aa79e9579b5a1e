"""The residual encoder: strided convolutions with residual blocks behind each (He et al. 2016, pre-activation).

Deviation: no normalisation over the batch, so that images do not mix; the last layer of a block begins at zero instead
(Zhang et al. 2019, "Fixup").
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from latentia.parts.base import Encoder, Shape
from latentia.parts.blocks import Dropout, ResidualBlock
from latentia.parts.convolution import Conv2d
from latentia.parts.encoders._halving import Halving


@dataclasses.dataclass(frozen=True)
class Residual(Halving, Encoder):
    """A stronger, slower sibling of ``conv``.

    Attributes:
        widths: the channels after each halving; empty: by the images' size.
        blocks: residual blocks at the coarsest resolution; half as many, rounded down, at the others.
        dropout: the probability that a feature is turned off while training.
    """

    dense_units: ClassVar[int] = 1024

    widths: tuple[int, ...] = ()
    blocks: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require(min(self.widths, default=1) > 0, "widths", "positive numbers")
        self.require(self.blocks >= 0, "blocks", "0 or more")
        self.require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1")

    def build(self, image_shape: Shape) -> nn.Module:
        """Return the module."""
        return _ResidualEncoder(self, image_shape[0])


class _ResidualEncoder(nn.Module):
    def __init__(self, spec: Residual, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise((channels, *spec.widths))):
            layers.append(Conv2d(before, after, kernel_size=4, stride=2, padding=1))
            coarsest = level == len(spec.widths) - 1
            layers += [ResidualBlock(after) for _ in range(spec.blocks if coarsest else spec.blocks // 2)]
            layers += [nn.SiLU(), Dropout(spec.dropout)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
