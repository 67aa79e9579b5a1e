"""Convolutions that are computed as matrix products where that is faster: on maps of few pixels.

A convolution library walks over the map; where the map is one pixel, or sixteen, there is little to walk over, much of the
kernel lies beyond the border, and its kernels run at a small part of the processor's speed. The same numbers come, up to
rounding, from a matrix product for each cell of the kernel, over the pixels that it meets and no others, where layers are
wide; and from a single product where all of the layer, as one matrix from map to map, is small. Which layers these
are follows from shapes alone, so that a run repeats; the measurements stand in ``docs/decisions/0011``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentia.parts import _cells

FEW = 16  # pixels of the smaller map up to which the products are the faster way for layers of WIDE channels
WIDE = 256
SOME = 64  # the same for transposed convolutions that begin with VERY_WIDE channels
VERY_WIDE = 512
SMALL = 1 << 16  # weights of the matrix from all of one map to all of the other up to which that is the fastest way
MANY = 32  # images from which on turning the weights about is worth it


class Conv2d(nn.Conv2d):
    """``torch.nn.Conv2d``, computed as matrix products on a processor where wide maps become maps of few pixels."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of ``input [B, C, H, W]``."""
        if not _is_plain(self, input) or self.padding_mode != "zeros" or isinstance(self.padding, str):
            return super().forward(input)
        height, width = (
            (side + 2 * pad - kernel) // stride + 1
            for side, pad, kernel, stride in zip(
                input.shape[-2:], self.padding, self.kernel_size, self.stride, strict=True
            )
        )
        if (height, width) == (1, 1):
            return self._as_one_product(input)
        if not (height > 0 and width > 0 and len(input) >= MANY):
            return super().forward(input)
        shape = (height, width), (input.shape[-2], input.shape[-1]), self.kernel_size, self.stride, self.padding
        if _is_small(self, *shape[:2]):
            return _cells.gathered_whole(input, self.weight, self.bias, _cells.ties_of(*shape))
        if _is_wide(self, height * width, FEW):
            return _cells.gathered(input, self.weight, self.bias, _cells.cells_of(*shape))
        return super().forward(input)

    def _as_one_product(self, images: Tensor) -> Tensor:
        assert not isinstance(self.padding, str)  # a developer's invariant: looked at before
        # the kernel covers the whole image: what it has beyond the border meets zeros, and is left out
        height, width = images.shape[-2:]
        top, left = self.padding
        inside = self.weight[:, :, top : top + height, left : left + width]
        rows, columns = inside.shape[-2:]
        found = F.linear(images[:, :, :rows, :columns].flatten(1), inside.flatten(1), self.bias)
        return found[:, :, None, None]


class ConvTranspose2d(nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d``, computed as matrix products on a processor where wide maps of few pixels grow."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of ``input [B, C, H, W]``."""
        if output_size is not None or not _is_plain(self, input) or isinstance(self.padding, str) or len(input) < MANY:
            return super().forward(input, output_size)
        height, width = (
            (side - 1) * stride - 2 * pad + kernel + more
            for side, stride, pad, kernel, more in zip(
                input.shape[-2:], self.stride, self.padding, self.kernel_size, self.output_padding, strict=True
            )
        )
        shape = (input.shape[-2], input.shape[-1]), (height, width), self.kernel_size, self.stride, self.padding
        if _is_small(self, *shape[:2]):
            return _cells.scattered_whole(input, self.weight, self.bias, _cells.ties_of(*shape))
        if _is_wide(self, input.shape[-2] * input.shape[-1], SOME if self.in_channels >= VERY_WIDE else FEW):
            return _cells.scattered(input, self.weight, self.bias, _cells.cells_of(*shape))
        return super().forward(input)


def _is_plain(layer: Conv2d | ConvTranspose2d, images: Tensor) -> bool:
    """Whether the products know this kind of layer; what is exported keeps the convolution that other programs know."""
    return (
        images.device.type == "cpu"
        and images.ndim == 4
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_exporting()
        and torch._C._functorch.maybe_current_level() is None  # several networks at once: the products are not for vmap
    )


def _is_small(layer: Conv2d | ConvTranspose2d, *maps: tuple[int, int]) -> bool:
    if torch.compiler.is_compiling():  # which would trace the making of the constant matrix
        return False
    return layer.in_channels * layer.out_channels * math.prod(side for size in maps for side in size) <= SMALL


def _is_wide(layer: Conv2d | ConvTranspose2d, pixels: int, few: int) -> bool:
    return pixels <= few and min(layer.in_channels, layer.out_channels) >= WIDE
