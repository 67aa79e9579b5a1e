"""Near-duplicates: groups of images so alike that judging one by a model that saw the other would be no test.

Candidates share the hash of a tiny version of themselves (4 x 4 means, coarsely quantised, under four offsets so that a
value near a step is not lost); each is then confirmed on all its pixels. Groups have a leader that every member is
confirmed against, so that they cannot chain, and a largest size. A bare perceptual hash would put most of MNIST together.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet

SIDE, LEVELS, OFFSETS = 4, 8, 4
TOLERANCE = 0.02  # root mean squared difference, pixels in [0, 1]
CONTRAST = 0.1  # the same difference as a share of the leader's standard deviation: two near-blank images are not alike
LARGEST = 32  # images in a group
WINDOW = 64  # images compared with in a bucket that holds more
BLOCK = 4096  # images of a bucket that are in memory at a time


@dataclasses.dataclass(frozen=True)
class Duplicates(Printed):
    """Groups of near-duplicates.

    Attributes:
        groups: int64 ``[N]``, equal for images of one group.
        count: images that are a near-duplicate of an earlier one.
        full: groups that reached the largest size, beyond which a further group was begun.
    """

    groups: npt.NDArray[np.int64]
    count: int
    full: int

    def __str__(self) -> str:
        if not self.count:
            return f"none of {len(self.groups):,} images is a near-duplicate of another"
        text = f"{self.count:,} of {len(self.groups):,} images are near-duplicates of another and stay in its fold"
        return text + (f" ({self.full} groups reached the largest size of {LARGEST})" if self.full else "")


def near_duplicates(images: ImageSet, *, tolerance: float = TOLERANCE, largest: int = LARGEST) -> Duplicates:
    """Return the groups of near-duplicates of ``images``, together with the groups that the images bring along.

    Args:
        images: the images; read a block at a time.
        tolerance: the largest root mean squared difference from the group's leader, pixels in [0, 1].
        largest: the most images in one group.
    """
    groups = np.arange(len(images), dtype=np.int64)
    sizes = np.ones(len(images), dtype=np.int64)
    tiny = _tiny(images)
    for offset in range(OFFSETS):
        for bucket in _buckets(tiny, offset / OFFSETS):
            for start in range(0, len(bucket), BLOCK):
                _confirm(images, bucket[start : start + BLOCK], groups, sizes, tolerance, largest)
    count = int((groups != np.arange(len(images))).sum())
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    groups = first[inverse]
    if images.groups is not None:
        groups = join_groups(groups, images.groups)
    return Duplicates(groups, count, int((sizes >= largest).sum()))


def join_groups(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the finest groups int64 ``[N]`` in which whatever is together in either is together."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, left = np.unique(first, return_inverse=True)
    _, right = np.unique(second, return_inverse=True)
    size = int(left.max(initial=-1)) + 1 + int(right.max(initial=-1)) + 1
    edges = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right + int(left.max(initial=-1)) + 1)), (size, size))
    _, component = connected_components(edges, directed=False)
    return np.asarray(component[left], dtype=np.int64)


def _tiny(images: ImageSet) -> npt.NDArray[np.float32]:
    """Return the means of ``SIDE x SIDE`` cells of every image, over channels too, ``[N, SIDE**2]`` in [0, 1]."""
    _, height, width = images.format.shape
    rows = np.unique(np.linspace(0, height, min(SIDE, height), endpoint=False).astype(int))
    columns = np.unique(np.linspace(0, width, min(SIDE, width), endpoint=False).astype(int))
    area = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    found = np.empty((len(images), area.size), dtype=np.float32)
    for start in range(0, len(images), 4096):
        unit = images.format.to_unit(np.asarray(images.pixels[start : start + 4096])).mean(1)
        sums = np.add.reduceat(np.add.reduceat(unit, rows, axis=1), columns, axis=2)
        found[start : start + len(unit)] = (sums / area).reshape(len(unit), -1)
    return found


def _buckets(tiny: npt.NDArray[np.float32], offset: float) -> list[npt.NDArray[np.int64]]:
    """Return the positions of images of equal hash, where there are several, the alike in brightness side by side."""
    quantised = np.ascontiguousarray(np.floor(tiny * LEVELS + offset).astype(np.int8))
    keys = quantised.view(f"V{quantised.shape[1]}").ravel()
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.lexsort((tiny.sum(1), inverse))
    pieces = np.split(order, np.cumsum(counts)[:-1])
    return [piece for piece in pieces if len(piece) > 1]


def _confirm(
    images: ImageSet,
    bucket: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    tolerance: float,
    largest: int,
) -> None:
    """Let each image of ``bucket`` that has no group yet join the first leader that its pixels agree with."""
    unit = images.format.to_unit(np.asarray(images.pixels[np.sort(bucket)])).reshape(len(bucket), -1)
    unit = unit[np.argsort(np.argsort(bucket))]
    limits = np.minimum(tolerance, CONTRAST * unit.std(1)) ** 2
    for place, image in enumerate(bucket.tolist()):
        if groups[image] != image or sizes[image] > 1:
            continue
        around = range(max(0, place - WINDOW), min(len(bucket), place + WINDOW))
        leaders = [
            at for at in around if at != place and _may_lead(int(bucket[at]), at < place, groups, sizes, largest)
        ]
        if not leaders:
            continue
        distance = np.square(unit[leaders] - unit[place]).mean(1)
        alike = np.flatnonzero(distance <= limits[leaders])
        if len(alike):
            leader = int(bucket[leaders[alike[0]]])
            groups[image] = leader
            sizes[leader] += 1


def _may_lead(
    image: int, earlier: bool, groups: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], largest: int
) -> bool:
    """Return whether ``image`` leads a group with room, or could begin one: an image with no group, earlier in the bucket."""
    return bool(groups[image] == image and sizes[image] < largest and (earlier or sizes[image] > 1))
