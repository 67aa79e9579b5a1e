"""Finite scalar quantisation: every channel is rounded to a few levels (Mentzer et al. 2023, section 3).

No codebook is learned and no term added; gradients pass straight through. Through vector-quantize-pytorch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Fsq(Bottleneck):
    """A spatial code ``[B, len(levels), h, w]`` on a grid in [-1, 1].

    Attributes:
        levels: the number of values of each channel, 3 or more; their product is the size of the implied codebook.
    """

    levels: tuple[int, ...] = (8, 5, 5, 5)

    def __post_init__(self) -> None:
        self.require(len(self.levels) > 0 and min(self.levels, default=0) >= 3, "levels", "numbers of 3 or more")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(len(levels), h, w)``."""
        return len(self.levels), *feature_shape[1:]

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module.

        Raises:
            UserError: vector-quantize-pytorch is not installed.
        """
        return _Fsq(self, feature_shape)


class _Fsq(BottleneckModule):
    def __init__(self, spec: Fsq, feature_shape: Shape) -> None:
        super().__init__()
        self.levels = spec.levels
        self.project = nn.Conv2d(feature_shape[0], len(spec.levels), kernel_size=1)
        self.quantiser = _library().FSQ(list(spec.levels), return_indices=False)

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        quantised, _ = self.quantiser(self.project(features))
        return Code(quantised)

    def nearest(self, z: Tensor) -> Tensor:
        # the grid of FSQ: whole numbers over half the levels, one more of them below zero where their number is even
        half = z.new_tensor([levels // 2 for levels in self.levels]).view(-1, 1, 1)
        top = z.new_tensor([(levels - 1) // 2 for levels in self.levels]).view(-1, 1, 1)
        return (z * half).round().clamp(-half, top) / half


def _library() -> Any:
    try:
        import vector_quantize_pytorch
    except ImportError:
        raise UserError(
            "the bottleneck 'fsq' needs the package vector-quantize-pytorch, which is not installed: "
            'pip install "latentia[quantise]"'
        ) from None
    return vector_quantize_pytorch
