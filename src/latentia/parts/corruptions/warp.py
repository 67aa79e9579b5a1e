"""Geometric noise: the image is bent, turned and shifted, and the loss asks for the image as it was.

Vincent et al. 2010 (section 2.2) leave the corruption process open. Masking takes pixels away; this one moves them. How far
an image was moved cannot be told from the moved image, so a code that restores what can be restored has no use for the place
of a stroke, and holds what stays: it is a code for features, clusters and classifiers, whose restored images are smooth.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.noise import Noise
from latentia.parts import AUGMENTATIONS
from latentia.parts.base import Augmentation, Corruption


@dataclasses.dataclass(frozen=True)
class Warp(Corruption):
    """Moves the pixels of every image by augmentations, each image's own way.

    Attributes:
        steps: augmentations in their text form, joined by ``+``: ``shift:reach=0.1+flip``.
    """

    steps: str = "elastic+rotation+shift"

    def __post_init__(self) -> None:
        self._chain()

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the moved images and a mask of everything."""
        return self._chain()(pixels, noise), torch.ones_like(pixels, dtype=torch.bool)

    def _chain(self) -> Augmentation:
        return AUGMENTATIONS.make("chain", steps=self.steps)  # type: ignore[return-value]
