"""The convolutional decoder: transposed convolutions, each doubling height and width, the mirror of the encoder."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from torch import Tensor, nn

from latentia.parts.base import Decoder, Shape
from latentia.parts.convolution import ConvTranspose2d
from latentia.parts.decoders._doubling import Doubling
from latentia.parts.decoders._unproject import unprojection


@dataclasses.dataclass(frozen=True)
class Conv(Doubling, Decoder):
    """Transposed convolutions of stride 2.

    Attributes:
        widths: the channels before each doubling, in the encoder's order: the last is the deepest. Empty: by the
            images' size.
        hidden: units of a dense layer after a vector code; 0 for none.
    """

    widths: tuple[int, ...] = ()
    hidden: int = 512

    def __post_init__(self) -> None:
        self.require(min(self.widths, default=1) > 0, "widths", "positive numbers")
        self.require(self.hidden >= 0, "hidden", "0 or more")

    def build(self, code_shape: tuple[int, ...], output_shape: Shape) -> nn.Module:
        """Return the module."""
        return _ConvDecoder(self, code_shape, output_shape)


class _ConvDecoder(nn.Module):
    def __init__(self, spec: Conv, code_shape: tuple[int, ...], output_shape: Shape) -> None:
        super().__init__()
        channels, height, width = output_shape
        widths = (*reversed(spec.widths), channels)
        start = (widths[0], height // spec.multiple, width // spec.multiple)
        self.unproject = unprojection(code_shape, start, spec.hidden)
        self.layers = nn.ModuleList(
            ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1) for before, after in pairwise(widths)
        )
        self.activation = nn.SiLU()

    @property
    def output_bias(self) -> Tensor:
        return self.layers[-1].bias  # type: ignore[return-value]

    def forward(self, code: Tensor) -> Tensor:
        features = self.unproject(code)
        for layer in self.layers:
            features = layer(self.activation(features))
        return features
