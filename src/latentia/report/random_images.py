"""Random images of a data set, as one picture."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable, kind_of
from latentia.report.style import new_figure, show_image, styled, title


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
    rows = math.ceil(len(images) / columns)
    labelled = captions and images.labels is not None and bool((images.labels >= 0).any())
    cell = max(0.62, min(1.6, 10.0 / columns))
    aspect = images.format.height / images.format.width
    with styled():
        figure = new_figure(
            max(columns * cell, 3.6), rows * (cell * min(aspect, 3.0) + (0.17 if labelled else 0.02)) + 0.6
        )
        grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
        for position, axes in enumerate(grid.flat):
            if position >= len(images):
                axes.set_visible(False)
                continue
            label = int(images.labels[position]) if labelled and images.labels is not None else -1
            named = images.classes[label] if 0 <= label < len(images.classes) else str(label)
            show_image(axes, pictures[position], named if label >= 0 else "")
        title(figure, heading, subtitle)
    return figure
