"""Rows of images with names and captions. All lie in one pair of axes: with a pair for each image a picture takes a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from latentia.report.style import GRID, INK, new_figure, styled, title

Picture = npt.NDArray[Any]
SIZE = 6.5  # points of a caption
LINE = 0.125  # inches of its line
GAP, EDGE = 0.035, 0.09  # inches between images, and around all of them
TITLE = 0.19  # inches of a line of the title
TALLEST = 3.0  # of an image, as a multiple of its width


def rows_of_images(
    rows: Sequence[Sequence[Picture]],
    *,
    heading: str,
    subtitle: str = "",
    cell: float = 1.0,
    names: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    narrowest: float = 4.2,
) -> Figure:
    """Return a figure of images in rows.

    Args:
        rows: the images of each row, ``[H, W]`` or ``[H, W, 3]`` in [0, 1], all of one shape; rows may differ in length.
        heading, subtitle: the title, and a softer line beneath.
        cell: the width of an image, in inches.
        names: of each row, at its left.
        captions: for each row the texts beneath its images, or an empty sequence.
        narrowest: the least width of the figure, in inches, so that its title has room.
    """
    first = next(picture for row in rows for picture in row)
    height = cell * min(first.shape[0] / first.shape[1], TALLEST)
    left = EDGE + (0.16 * max(name.count("\n") + 1 for name in names) if any(names) else 0.0)
    columns = max(map(len, rows))
    beneath = [max((text.count("\n") + 1 for text in row if text), default=0) * LINE for row in captions]
    beneath += [0.0] * (len(rows) - len(beneath))
    top = EDGE + TITLE * (2 if subtitle else 1) + 0.06
    wide = max(left + columns * (cell + GAP) - GAP + EDGE, narrowest)
    tall = top + len(rows) * (height + GAP) + sum(beneath) + EDGE
    with styled():
        figure = new_figure(wide, tall)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), autoscale_on=False, xlim=(0.0, wide), ylim=(tall, 0.0))
        axes.set_axis_off()
        frames, y = [], top
        for number, row in enumerate(rows):
            for column, picture in enumerate(row):
                x = left + column * (cell + GAP)
                axes.imshow(
                    picture,
                    extent=(x, x + cell, y + height, y),
                    cmap="gray",
                    vmin=0.0,
                    vmax=1.0,
                    interpolation="nearest",
                    aspect="auto",
                )
                frames.append(Rectangle((x, y), cell, height))
                if number < len(captions) and column < len(captions[number]) and captions[number][column]:
                    text = captions[number][column]
                    axes.text(x + cell / 2, y + height + 0.02, text, size=SIZE, color=INK, ha="center", va="top")
            if number < len(names):
                place = (left - 0.05, y + height / 2)
                axes.text(*place, names[number], size=8, color=INK, rotation=90, ha="right", va="center")
            y += height + GAP + beneath[number]
        axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor=GRID, linewidth=0.5))
        title(figure, heading, subtitle, below=0.06 / tall)
    return figure
