"""What augmentations share that say, for each pixel, where in the image to look (Jaderberg et al. 2015, section 3.3)."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts.base import Augmentation


@dataclasses.dataclass(frozen=True)
class Warp(Augmentation, abc.ABC):
    """An augmentation that moves pixels and changes none; several of them can share one interpolation."""

    @abc.abstractmethod
    def move(self, points: Tensor, noise: Noise, size: tuple[int, int]) -> Tensor:
        """Return where to look instead of at ``points``.

        Args:
            points: float32 ``[B, H, W, 2]``, x and y in pixels from the image's centre.
            noise: the images' own.
            size: height and width in pixels.
        """

    def __call__(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return the warped images; beyond an edge its pixels are repeated."""
        return warp(pixels, [(self, noise)])


def constants(*values: float, device: torch.device) -> Tensor:
    """Return ``values`` made on the device: bringing them there could not be recorded."""
    return torch.stack([torch.full((), value, device=device) for value in values])


def warp(pixels: Tensor, steps: Sequence[tuple[Warp, Noise]]) -> Tensor:
    """Apply ``steps`` in order with a single bilinear interpolation, so that a chain does not blur."""
    height, width = pixels.shape[-2:]
    y = torch.arange(height, device=pixels.device, dtype=torch.float32) - (height - 1) / 2
    x = torch.arange(width, device=pixels.device, dtype=torch.float32) - (width - 1) / 2
    points = torch.stack([x.expand(height, width), y.unsqueeze(1).expand(height, width)], dim=-1)
    points = points.expand(len(pixels), height, width, 2)
    # the last step is the first question: where does what lies here come from?
    for step, noise in reversed(steps):
        points = step.move(points, noise, (height, width))
    grid = points * constants(2.0 / width, 2.0 / height, device=pixels.device)
    return F.grid_sample(pixels, grid.to(pixels.dtype), mode="bilinear", padding_mode="border", align_corners=False)
