"""The dense encoder: the image unrolled into one row, as the report contrasts it (Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from torch import Tensor, nn

from latentia.parts.base import Encoder, Shape
from latentia.parts.blocks import Dropout


@dataclasses.dataclass(frozen=True)
class Dense(Encoder):
    """Fully connected layers over the unrolled pixels.

    Attributes:
        widths: the units of each layer.
        dropout: the probability that a unit is turned off while training.
    """

    widths: tuple[int, ...] = (1024, 512)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require(len(self.widths) > 0 and min(self.widths) > 0, "widths", "one or more positive numbers")
        self.require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1")

    @property
    def multiple(self) -> int:
        """Any size does."""
        return 1

    def feature_shape(self, image_shape: Shape) -> Shape:
        """Return ``(last width, 1, 1)``: no positions are left."""
        return self.widths[-1], 1, 1

    def build(self, image_shape: Shape) -> nn.Module:
        """Return the module."""
        return _DenseEncoder(self, image_shape)


class _DenseEncoder(nn.Module):
    def __init__(self, spec: Dense, image_shape: Shape) -> None:
        super().__init__()
        channels, height, width = image_shape
        widths = (channels * height * width, *spec.widths)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.activation = nn.SiLU()
        self.dropout = Dropout(spec.dropout)

    def forward(self, images: Tensor) -> Tensor:
        features = images.flatten(1)
        for layer in self.layers:
            features = self.dropout(self.activation(layer(features)))
        return features[:, :, None, None]
