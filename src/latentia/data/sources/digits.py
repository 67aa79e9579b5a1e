"""scikit-learn's 1,797 real handwritten digits, 8 x 8 pixels, embedded in its package (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from latentia.data.imageset import ImageSet, from_array
from latentia.data.source import ReadOptions, Source


@dataclasses.dataclass(frozen=True)
class Digits(Source):
    """The embedded digits: 16 grey levels, here spread over uint8, so that 16 becomes 255."""

    priority: ClassVar[int] = 100
    datasets: ClassVar[tuple[str, ...]] = ("digits",)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return all 1,797 digits with their labels."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        pixels = np.rint(bunch.images * (255.0 / 16.0)).astype(np.uint8)
        return from_array(pixels, bunch.target, source="digits")
