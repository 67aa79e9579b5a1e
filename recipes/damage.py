"""Damaged copies of normal images: odd ones without a label, to choose a score by (as CutPaste, Li et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

Pixels = npt.NDArray[Any]
Damage = Callable[[Pixels, Pixels, np.random.Generator], Pixels]


def cut_and_pasted(pixels: Pixels, others: Pixels, random: np.random.Generator) -> Pixels:
    """A third by a third of another image, at another place."""
    spoilt, side = pixels.copy(), pixels.shape[-1] // 3
    for image, other in zip(spoilt, others, strict=True):
        top, left, from_top, from_left = random.integers(0, pixels.shape[-1] - side + 1, 4)
        image[:, top : top + side, left : left + side] = other[
            :, from_top : from_top + side, from_left : from_left + side
        ]
    return spoilt


def erased(pixels: Pixels, _others: Pixels, random: np.random.Generator) -> Pixels:
    """A third by a third, not at the border, is black."""
    spoilt, size = pixels.copy(), pixels.shape[-1]
    side, rim = size // 3, size // 6
    for image in spoilt:
        top, left = random.integers(rim, size - side - rim + 1, 2)
        image[:, top : top + side, left : left + side] = 0
    return spoilt


def bent(pixels: Pixels, _others: Pixels, random: np.random.Generator) -> Pixels:
    """Places are moved by a smooth field of a fourteenth of the side."""
    size = pixels.shape[-1]
    rows, columns = np.mgrid[:size, :size]
    spoilt = np.empty_like(pixels)
    for place, image in enumerate(pixels):
        fields = [gaussian_filter(random.normal(size=(size, size)), size / 7) for _ in range(2)]
        down, right = (field / field.std() * size / 14 for field in fields)
        for channel, plane in enumerate(image):
            spoilt[place, channel] = map_coordinates(plane, [rows + down, columns + right], order=1)
    return spoilt


def halves(pixels: Pixels, others: Pixels, _random: np.random.Generator) -> Pixels:
    """The left half is another image's."""
    spoilt, half = pixels.copy(), pixels.shape[-1] // 2
    spoilt[..., :half] = others[..., :half]
    return spoilt


DAMAGES: dict[str, Damage] = {
    "blended": lambda pixels, others, random: ((pixels.astype(np.float64) + others) / 2).astype(pixels.dtype),
    "cut and pasted": cut_and_pasted,
    "bent": bent,
    "erased": erased,
    "mirrored": lambda pixels, others, random: pixels[..., ::-1].copy(),
    "half turned": lambda pixels, others, random: halves(pixels, np.rot90(others, 2, (2, 3)), random),
    "two halves": halves,
    "upside down": lambda pixels, others, random: np.rot90(pixels, 2, (2, 3)).copy(),
    "on its side": lambda pixels, others, random: np.rot90(pixels, 1, (2, 3)).copy(),
}


def damaged(pixels: Pixels, name: str, seed: int = 0) -> Pixels:
    """Return square images ``[N, C, H, H]`` damaged in the way of :data:`DAMAGES` called ``name``."""
    random = np.random.default_rng(seed)
    return DAMAGES[name](pixels, pixels[random.permutation(len(pixels))], random)
