"""Some of many images: evenly spaced, or at random."""

from __future__ import annotations

import numpy as np

from latentia.core.noise import derive
from latentia.data.imageset import ImageSet


def some(images: ImageSet, most: int) -> ImageSet:
    """Return at most ``most`` images, evenly spaced."""
    if len(images) <= most:
        return images
    return images.select(np.linspace(0, len(images) - 1, most).astype(np.int64))


def some_at_random(images: ImageSet, most: int, seed: int, *purpose: str) -> ImageSet:
    """Return at most ``most`` images in their own order; which ones, ``seed`` and ``purpose`` decide."""
    if len(images) <= most:
        return images
    random = np.random.default_rng(derive(seed, *purpose))
    return images.select(np.sort(random.permutation(len(images))[:most]))
