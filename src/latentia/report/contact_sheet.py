"""Contact sheets: thumbnails with their names, so that a person can label them from a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import INK, SOFT, new_figure, save, shorten, show_image, styled, title

COLUMNS, ON_A_SHEET = 5, 40
SIDE, LINE = 1.55, 0.15  # inches of a thumbnail, and of a line beneath it
LONGEST = 26  # characters of a name in a line


def draw_sheets(
    path: Path, images: ImageSet, rows: npt.NDArray[np.int64], captions: Sequence[str], text: str
) -> list[Path]:
    """Draw the images at ``rows`` with name and caption as ``path``, and as many more sheets as are needed; return the files."""
    starts = range(0, len(rows), ON_A_SHEET)
    files = []
    for number, start in enumerate(starts, start=1):
        part = slice(start, start + ON_A_SHEET)
        place = path if len(starts) == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        of = "" if len(starts) == 1 else f", sheet {number} of {len(starts)}"
        files.append(save(contact_sheet(images, rows[part], captions[part], text + of, start), place))
    return files


def contact_sheet(
    images: ImageSet, rows: npt.NDArray[np.int64], captions: Sequence[str], text: str, start: int = 0
) -> Figure:
    """Return one sheet: each image numbered, with its name and its caption beneath."""
    columns = min(COLUMNS, max(len(rows), 3))
    lines = -(-len(rows) // columns)
    names = [_wrapped(images.names[row]) for row in rows]
    beneath = max((name.count("\n") for name in names), default=0) + 2
    pixels = displayable(images.pixels[rows], images.format)
    aspect = min(max(images.format.height / images.format.width, 0.3), 3.0)
    with styled():
        figure = new_figure(columns * SIDE + 0.2, lines * (SIDE * aspect * 0.92 + LINE * (beneath + 1)) + 0.6)
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for number, (axes, picture, name, caption) in enumerate(zip(grid, pixels, names, captions, strict=False)):
            show_image(axes, picture)
            axes.set_title(f"{start + number + 1}", fontsize=7, color=SOFT, loc="left", pad=2)
            axes.set_xlabel(f"{name}\n{shorten(caption, 34)}" if caption else name, fontsize=7, color=INK, labelpad=3)
        for axes in grid[len(rows) :]:
            axes.set_visible(False)
        title(figure, text)
    return figure


def _wrapped(name: str) -> str:
    """Return a name in at most three lines: it is to be read in full, for it is what a person looks for in the list."""
    pieces = [name[place : place + LONGEST] for place in range(0, len(name), LONGEST)]
    return "\n".join(pieces if len(pieces) <= 3 else [pieces[0], "…", pieces[-1]])
