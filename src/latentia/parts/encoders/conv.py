"""The convolutional encoder: strided convolutions, each halving height and width (Masci et al. 2011, without pooling)."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from torch import Tensor, nn

from latentia.parts.base import Encoder, Shape
from latentia.parts.blocks import Dropout
from latentia.parts.convolution import Conv2d
from latentia.parts.encoders._halving import Halving


@dataclasses.dataclass(frozen=True)
class Conv(Halving, Encoder):
    """Convolutions of stride 2, each with its activation.

    Attributes:
        widths: the channels after each convolution; as many numbers, as many halvings. Empty: by the images
            size, see :func:`latentia.parts.base.default_widths`.
        dropout: the probability that a feature is turned off while training.
    """

    widths: tuple[int, ...] = ()
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require(min(self.widths, default=1) > 0, "widths", "positive numbers")
        self.require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1")

    def build(self, image_shape: Shape) -> nn.Module:
        """Return the module."""
        return _ConvEncoder(self, image_shape[0])


class _ConvEncoder(nn.Module):
    def __init__(self, spec: Conv, channels: int) -> None:
        super().__init__()
        widths = (channels, *spec.widths)
        self.layers = nn.ModuleList(
            Conv2d(before, after, kernel_size=4, stride=2, padding=1) for before, after in pairwise(widths)
        )
        self.activation = nn.SiLU()
        self.dropout = Dropout(spec.dropout)

    def forward(self, images: Tensor) -> Tensor:
        features = images
        for layer in self.layers:
            features = self.dropout(self.activation(layer(features)))
        return features
