"""Random images of a data set, as one picture."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable, kind_of
from latentia.report.rows_of_images import rows_of_images


def random_images(images: ImageSet, n: int = 64, seed: int = 0) -> Figure:
    """Return a grid of ``n`` images drawn at random (all of them where there are fewer), with labels where there are any."""
    chosen = np.random.default_rng(seed).permutation(len(images))[: min(n, len(images))]
    shown = images.select(chosen)
    part = "" if images.split == "all" else f", {images.split} split"
    return image_grid(
        shown,
        heading=f"{len(shown)} random images of {images.source}{part}",
        subtitle=f"{len(images):,} images of {kind_of(images.format)}",
    )


def sample_grid(images: ImageSet, heading: str = "new images") -> Figure:
    """Return generated images as a grid."""
    return image_grid(images, heading=heading, captions=False)


def image_grid(images: ImageSet, *, heading: str, subtitle: str = "", captions: bool = True) -> Figure:
    """Return all images of a set as one grid, labelled where there are labels."""
    pictures = displayable(images.pixels, images.format)
    columns = max(1, min(16, math.ceil(math.sqrt(len(images) * 1.6))))
    labelled = captions and images.labels is not None and bool((images.labels >= 0).any())
    words = [_class(images, position) if labelled else "" for position in range(len(images))]
    starts = range(0, len(images), columns)
    return rows_of_images(
        [list(pictures[start : start + columns]) for start in starts],
        heading=heading,
        subtitle=subtitle,
        cell=max(0.62, min(1.6, 10.0 / columns)),
        captions=[words[start : start + columns] for start in starts],
        narrowest=3.6,
    )


def _class(images: ImageSet, position: int) -> str:
    assert images.labels is not None  # a developer's invariant: asked only where there are labels
    label = int(images.labels[position])
    if label < 0:
        return ""
    return images.classes[label] if label < len(images.classes) else str(label)
