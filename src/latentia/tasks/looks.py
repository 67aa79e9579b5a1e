"""How images look, without a model: brightness, contrast and detail, each a number for every image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import over

LOOKS = ("brightness", "contrast", "detail")
LEAST = 1e-9  # of detail, before its log is taken: a blank image has none


def looks_of(model: Autoencoder, images: ImageSet) -> dict[str, npt.NDArray[np.float64]]:
    """Return how each image looks, float64 ``[N]`` each, with pixels in [0, 1] as ``model`` is given them.

    ``brightness`` is the mean of the pixels and ``contrast`` their standard deviation; ``detail`` is the log of the mean squared
    difference between neighbours, which falls when images are blurred and rises with noise.
    """
    found = np.asarray(over(model, images, lambda batch: _look(batch.pixels)), dtype=np.float64)
    return dict(zip(LOOKS, found.T, strict=True))


def _look(pixels: Tensor) -> Tensor:
    flat = pixels.double().flatten(1)
    return torch.stack([flat.mean(1), flat.std(1, correction=0), detail_of(pixels).clamp_min(LEAST).log()], dim=1)


def detail_of(pixels: Tensor) -> Tensor:
    """Return the mean squared difference between neighbouring pixels of each of ``[B, C, H, W]``, float64 ``[B]``."""
    unit = pixels.double()
    down, right = unit.diff(dim=2).square(), unit.diff(dim=3).square()
    return (down.flatten(1).sum(1) + right.flatten(1).sum(1)) / unit[0].numel()
