"""Some rows of an array on disk, read when they are asked for: a part of it that costs no copy."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet

BLOCK = 4096  # rows that are in memory at a time


class Rows:
    """The images at ``rows`` of an array ``[N, C, H, W]``; it stands where an ImageSet's pixels stand.

    Args:
        base: the array, as a rule memory-mapped.
        rows: int64 positions in it.
    """

    def __init__(self, base: Any, rows: npt.NDArray[np.int64]) -> None:
        if isinstance(base, Rows):
            base, rows = base.base, base.rows[rows]
        self.base: Any = base
        self.rows = rows
        self.shape, self.dtype, self.ndim = (len(rows), *base.shape[1:]), base.dtype, base.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> npt.NDArray[Any]:
        return np.asarray(self.base[self.rows[which]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        found = np.asarray(self.base[self.rows])
        return found if dtype is None else found.astype(dtype)

    def min(self) -> Any:
        """Return the least value."""
        return min(self[start : start + BLOCK].min() for start in range(0, len(self), BLOCK))

    def max(self) -> Any:
        """Return the greatest value."""
        return max(self[start : start + BLOCK].max() for start in range(0, len(self), BLOCK))


def is_on_disk(pixels: Any) -> bool:
    """Return whether pixels are read from a file when they are asked for."""
    return isinstance(pixels, np.memmap | Rows)


def part_of(images: ImageSet, rows: npt.NDArray[np.int64], split: str = "train") -> ImageSet:
    """Return the images at ``rows`` like :meth:`ImageSet.select`, with pixels that are read when they are asked for."""
    return dataclasses.replace(
        images,
        pixels=cast(Any, Rows(images.pixels, rows)),
        names=[images.names[row] for row in rows],
        ids=images.ids[rows],
        labels=None if images.labels is None else images.labels[rows],
        geometry=None if images.geometry is None else tuple(images.geometry[row] for row in rows),
        groups=None if images.groups is None else images.groups[rows],
        split=split,
    )
