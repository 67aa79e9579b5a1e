"""Convolutions that are computed as matrix products where that is faster: wide layers on maps of few pixels.

A convolution library walks over the map; where the map is one pixel, or sixteen, there is nothing to walk over and its
kernels run at a small part of the processor's speed. The same numbers come from one matrix product, up to rounding. Which
layers these are follows from shapes alone, so that a run repeats; the measurements stand in ``docs/decisions/0009``.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

FEW = 16  # pixels of the map that a transposed convolution starts from, at most
WIDE = 1024  # channels from which on its product is the faster way


class Conv2d(nn.Conv2d):
    """``torch.nn.Conv2d``, computed as one matrix product on a processor where the result is a single pixel."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of ``input [B, C, H, W]``."""
        if not self._is_one_pixel(input):
            return super().forward(input)
        # the kernel covers the whole image: what it has beyond the border meets zeros, and is left out
        height, width = input.shape[-2:]
        assert not isinstance(self.padding, str)  # a developer's invariant: looked at before
        top, left = self.padding
        inside = self.weight[:, :, top : top + height, left : left + width]
        rows, columns = inside.shape[-2:]
        found = F.linear(input[:, :, :rows, :columns].flatten(1), inside.flatten(1), self.bias)
        return found[:, :, None, None]

    def _is_one_pixel(self, images: Tensor) -> bool:
        if images.device.type != "cpu" or images.ndim != 4 or self.groups != 1 or isinstance(self.padding, str):
            return False
        if self.padding_mode != "zeros" or self.dilation != (1, 1):
            return False
        return all(
            (side + 2 * pad - kernel) // stride == 0 and side + 2 * pad >= kernel
            for side, pad, kernel, stride in zip(
                images.shape[-2:], self.padding, self.kernel_size, self.stride, strict=True
            )
        )


class ConvTranspose2d(nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d``, computed as a matrix product on a processor where wide maps of few pixels grow."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of ``input [B, C, H, W]``."""
        if output_size is not None or not self._suits(input):
            return super().forward(input, output_size)
        height, width = input.shape[-2:]
        strides, pads = self.stride, self.padding
        assert not isinstance(pads, str)  # a transposed convolution's padding is numbers
        size = tuple(
            (side - 1) * stride - 2 * pad + kernel + more
            for side, stride, pad, kernel, more in zip(
                (height, width), strides, pads, self.kernel_size, self.output_padding, strict=True
            )
        )
        # every pixel of the input paints its kernel: one product for all of them, and a sum where they overlap
        painted = self.weight.flatten(1).t() @ input.flatten(2)
        found = F.fold(painted, size, self.kernel_size, padding=pads, stride=strides)
        return found if self.bias is None else found + self.bias[:, None, None]

    def _suits(self, images: Tensor) -> bool:
        return (
            images.device.type == "cpu"
            and images.ndim == 4
            and self.groups == 1
            and self.dilation == (1, 1)
            and self.in_channels >= WIDE
            and images.shape[-2] * images.shape[-1] <= FEW
        )
