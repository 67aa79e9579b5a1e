"""One quiet style for every picture, safe for colour-blind eyes, applied to each figure and never globally."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from latentia.core.atomic import write_bytes

INK, SOFT, GRID = "#20242c", "#6b7280", "#e5e7eb"
BLUE, ORANGE, GREEN, PINK, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#5b4ea5"  # Okabe & Ito 2008
DPI = 150
PLAIN = FuncFormatter(lambda value, place: f"{value:g}")  # the style writes no mathematics

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a file's name is a dollar sign
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@contextmanager
def styled(more: Any = None) -> Iterator[None]:
    """Apply the style, and ``more`` settings, to what is drawn inside."""
    with rc_context({**_RC, **(more or {})}):
        yield


class ShownFigure(Figure):
    """A figure that a notebook shows where it is the value of a cell, and nowhere else: no pyplot knows of it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with styled():
            self.savefig(buffer, format="png", dpi=100, facecolor="white")
        return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches that can be saved."""
    figure = ShownFigure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def title(figure: Figure, text: str, subtitle: str = "", below: float | None = None) -> None:
    """Write a title at the left, with a softer line beneath; ``below`` is its distance from the top, a share of the height.

    Without it the figure's layout finds the place.
    """
    whole = text + (f"\n{subtitle}" if subtitle else "")
    written = figure.suptitle(whole, x=0.01, ha="left", fontsize=10.5, color=INK)
    if below is not None:
        written.set_y(1.0 - below)


def show_image(axes: Axes, picture: Any, caption: str = "", size: float = 7.5) -> None:
    """Draw an image ``[H, W]`` (grey, 0 to 1) or ``[H, W, 3]`` with its pixels crisp, and a caption beneath."""
    if picture.ndim == 2:
        axes.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    else:
        axes.imshow(picture, interpolation="nearest")
    frame(axes)
    if caption:
        axes.set_xlabel(shorten(caption), fontsize=size, color=SOFT, labelpad=2)


def frame(axes: Axes) -> None:
    """Leave nothing of the axes but a fine frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GRID)


def log_where_wide(axes: Axes, values: Sequence[float]) -> None:
    """Make the upright axis logarithmic where the values are positive and far apart; few enough of its ticks are labelled."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite or min(finite) <= 0 or max(finite) <= 5 * min(finite):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(PLAIN)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(PLAIN if max(finite) < 100 * min(finite) else NullFormatter())


def shorten(text: str, longest: int = 22) -> str:
    """Return ``text`` with its middle left out where it is longer than ``longest``."""
    return text if len(text) <= longest else f"{text[: longest // 2 - 1]}…{text[-(longest // 2 - 1) :]}"


def short_name(name: str, longest: int = 14) -> str:
    """Return a file's name without folder and ending where it is longer than ``longest``, and its middle left out if it still is.

    Names of one folder mostly differ in their ends, so of these more is kept.
    """
    if len(name) <= longest:
        return name
    stem = PurePath(name).stem
    head = (longest - 1) // 3
    return stem if len(stem) <= longest else f"{stem[:head]}…{stem[-(longest - 1 - head) :]}"


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG, atomically, and return its path."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    write_bytes(path, buffer.getvalue())
    return path
