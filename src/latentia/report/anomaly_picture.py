"""The oddest images: each above its reconstruction and a map of where it is wrong."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import frame, new_figure, short_name, show_image, styled, title
from latentia.tasks.detect import HOT


def oddest(
    images: ImageSet, reconstructed: ImageSet, heat: npt.NDArray[Any], captions: list[str], heading: str
) -> Figure:
    """Return up to a dozen images, their reconstructions and heat maps ``[N, H, W]`` (times the usual error), in columns."""
    count = min(len(images), 12)
    cell, aspect = max(0.95, min(1.6, 12.0 / count)), min(images.format.height / images.format.width, 3.0)
    shown = displayable(images.pixels[:count], images.format)
    below = displayable(reconstructed.pixels[:count], images.format)
    with styled():
        figure = new_figure(max(count * cell + 1.0, 4.6), 3 * cell * aspect + 1.5)
        grid = figure.subplots(3, count, squeeze=False, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
        for column in range(count):
            show_image(grid[0, column], shown[column])
            show_image(grid[1, column], below[column])
            drawn = grid[2, column].imshow(heat[column], cmap="inferno", vmin=0.0, vmax=HOT, interpolation="nearest")
            frame(grid[2, column])
            name = short_name(images.names[column], 16)
            grid[2, column].set_xlabel(f"{name}\n{captions[column]}", fontsize=6.5, labelpad=2)
        for row, text in enumerate(("image", "recon-\nstruction", "times the\nusual error")):
            grid[row, 0].set_ylabel(text, fontsize=8)
        figure.colorbar(drawn, ax=list(grid[2]), fraction=0.02, pad=0.01, extend="max")
        title(
            figure,
            heading,
            "the least normal first; a map is hot where the error is many times that of training images there",
        )
    return figure
