"""Walks through the codes: interpolation strips and latent traversals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from latentia.data.imageset import PixelFormat
from latentia.report.images import displayable
from latentia.report.style import INK, new_figure, show_image, styled, title

if TYPE_CHECKING:
    from latentia.tasks.walk import Walk


def interpolation_strips(walk: Walk, pixel_format: PixelFormat, name: str) -> Figure:
    """Return one strip for each pair of images: both ends are reconstructions, what lies between is decoded on the way."""
    return walk_picture(walk, pixel_format, f"from one image to another: {name}", "below: the share of the way")


def traversals(walk: Walk, pixel_format: PixelFormat, name: str) -> Figure:
    """Return one strip for each unit of the code: that unit moves, all others stay."""
    heading = f"what single units of the code do: {name}"
    return walk_picture(walk, pixel_format, heading, "below each image the unit's value", labelled=True, each=True)


def walk_picture(
    walk: Walk,
    pixel_format: PixelFormat,
    heading: str,
    subtitle: str = "",
    *,
    labelled: bool = False,
    each: bool = False,
) -> Figure:
    """Return the rows of a walk.

    Args:
        walk: rows of decoded images ``[rows, steps, C, H, W]``.
        pixel_format: how their pixels are read.
        heading, subtitle: the title.
        labelled: write each row's label at its left.
        each: write the positions below every row, not below the last alone.
    """
    rows, steps = walk.pixels.shape[:2]
    cell = max(0.7, min(1.3, 11.0 / steps))
    aspect = min(pixel_format.height / pixel_format.width, 3.0)
    with styled():
        figure = new_figure(max(steps * cell + 0.4, 4.2), rows * (cell * aspect + (0.2 if each else 0.03)) + 0.8)
        grid = figure.subplots(rows, steps, squeeze=False, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
        for row in range(rows):
            pictures = displayable(walk.pixels[row], pixel_format)
            for step in range(steps):
                caption = f"{walk.positions[row, step]:.2g}" if each or row == rows - 1 else ""
                show_image(grid[row, step], pictures[step], caption, size=6.5)
            if labelled:
                grid[row, 0].set_ylabel(walk.labels[row], color=INK, fontsize=8)
        title(figure, heading, subtitle)
    return figure
