"""The dense decoder: fully connected layers up to all pixels, the mirror of the dense encoder."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

from torch import Tensor, nn

from latentia.parts.base import Decoder, Shape


@dataclasses.dataclass(frozen=True)
class Dense(Decoder):
    """Fully connected layers; takes vector and spatial codes alike.

    Attributes:
        widths: the units of each layer, in the encoder's order: the last is next to the code.
    """

    widths: tuple[int, ...] = (1024, 512)

    def __post_init__(self) -> None:
        self.require(len(self.widths) > 0 and min(self.widths) > 0, "widths", "one or more positive numbers")

    @property
    def multiple(self) -> int:
        """Any size does."""
        return 1

    def build(self, code_shape: tuple[int, ...], output_shape: Shape) -> nn.Module:
        """Return the module."""
        return _DenseDecoder(self, code_shape, output_shape)


class _DenseDecoder(nn.Module):
    def __init__(self, spec: Dense, code_shape: tuple[int, ...], output_shape: Shape) -> None:
        super().__init__()
        self.output_shape = output_shape
        widths = (math.prod(code_shape), *reversed(spec.widths))
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.activation = nn.SiLU()
        self.head = nn.Linear(widths[-1], math.prod(output_shape))

    @property
    def output_bias(self) -> Tensor:
        return self.head.bias

    def forward(self, code: Tensor) -> Tensor:
        features = code.flatten(1)
        for layer in self.layers:
            features = self.activation(layer(features))
        return self.head(features).view(-1, *self.output_shape)
