"""The residual decoder: residual blocks before each transposed convolution, the mirror of the residual encoder."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from torch import Tensor, nn

from latentia.parts.base import Decoder, Shape
from latentia.parts.blocks import ResidualBlock
from latentia.parts.convolution import ConvTranspose2d
from latentia.parts.decoders._doubling import Doubling
from latentia.parts.decoders._unproject import unprojection


@dataclasses.dataclass(frozen=True)
class Residual(Doubling, Decoder):
    """A stronger, slower sibling of ``conv``.

    Attributes:
        widths: the channels before each doubling, in the encoder's order; empty: by the images' size.
        blocks: residual blocks at the coarsest resolution; half as many, rounded down, at the others.
        hidden: units of a dense layer after a vector code; 0 for none.
    """

    widths: tuple[int, ...] = ()
    blocks: int = 1
    hidden: int = 1024

    def __post_init__(self) -> None:
        self.require(min(self.widths, default=1) > 0, "widths", "positive numbers")
        self.require(self.blocks >= 0, "blocks", "0 or more")
        self.require(self.hidden >= 0, "hidden", "0 or more")

    def build(self, code_shape: tuple[int, ...], output_shape: Shape) -> nn.Module:
        """Return the module."""
        return _ResidualDecoder(self, code_shape, output_shape)


class _ResidualDecoder(nn.Module):
    def __init__(self, spec: Residual, code_shape: tuple[int, ...], output_shape: Shape) -> None:
        super().__init__()
        channels, height, width = output_shape
        widths = (*reversed(spec.widths), channels)
        start = (widths[0], height // spec.multiple, width // spec.multiple)
        self.unproject = unprojection(code_shape, start, spec.hidden)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            layers += [ResidualBlock(before) for _ in range(spec.blocks if level == 0 else spec.blocks // 2)]
            layers += [nn.SiLU(), ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)

    @property
    def output_bias(self) -> Tensor:
        return self.layers[-1].bias  # type: ignore[return-value]

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(self.unproject(code))
