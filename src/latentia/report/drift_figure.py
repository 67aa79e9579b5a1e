"""Drift as pictures: how far apart new and reference images are and in what, and the images that changed most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import BLUE, INK, ORANGE, SOFT, new_figure, short_name, shorten, show_image, styled, title
from latentia.tasks.drift import Drift
from latentia.tasks.drift_words import p_value, verdict

UNITS = 12  # numbers of the code in the picture
COLUMNS, CHANGED = 12, 24  # images in a row, and of those that changed most


def drift_figure(found: Drift) -> Figure:
    """Return three panels: how far apart the images are, their scores, and the numbers of the code that moved most."""
    with styled():
        figure = new_figure(10.6, 4.1)
        left, middle, right = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.15, 1, 1]})
        _apart(left, found)
        _scores(middle, found)
        _units(right, found)
        text = f"{shorten(found.images.source, 40)}, {len(found.images):,} images, against {len(found.reference):,} "
        title(figure, text + shorten(found.against, 50), verdict(found))
    return figure


def changed_most(found: Drift) -> Figure:
    """Return reference images and new images at random, and the new images that changed most, with their names."""
    random = np.random.default_rng(0)
    most = found.order[:CHANGED]
    blocks = [
        ("reference,\nat random", found.reference, _any(random, len(found.reference)), False),
        ("new,\nat random", found.images, _any(random, len(found.images)), False),
    ]
    blocks += [
        ("new,\nchanged most" if start == 0 else "", found.images, most[start : start + COLUMNS], True)
        for start in range(0, len(most), COLUMNS)
    ]
    aspect = min(max(found.images.format.height / found.images.format.width, 0.4), 2.5)
    cell = 0.8
    with styled():
        figure = new_figure(COLUMNS * cell + 1.1, len(blocks) * (cell * aspect + 0.08) + 0.75)
        grid = figure.subplots(len(blocks), COLUMNS, squeeze=False)
        for row, (label, images, places, named) in zip(grid, blocks, strict=True):
            _row(row, images, places, found.distances if named else None)
            row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, color=INK)
        title(
            figure,
            f"{shorten(found.images.source, 50)} against {shorten(found.against, 50)}",
            "changed most: farthest from the reference by code (to a classifier), score or look; beneath, in its deviations",
        )
    return figure


def _any(random: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    return np.sort(random.permutation(count)[:COLUMNS])


def _row(
    row: npt.NDArray[np.object_],
    images: ImageSet,
    places: npt.NDArray[np.int64],
    distances: npt.NDArray[np.float64] | None,
) -> None:
    shown = displayable(images.pixels[places], images.format)
    for axes, picture, place in zip(row, shown, places, strict=False):
        show_image(axes, picture)
        if distances is not None:
            text = f"{short_name(images.names[place], 16)}\n{distances[place]:.1f}"
            axes.set_xlabel(text, fontsize=6, color=SOFT, labelpad=2)
    for number, axes in enumerate(row[len(places) :]):
        if number or len(places):
            axes.set_visible(False)


def _apart(axes: Axes, found: Drift) -> None:
    axes.axvline(0.5, color=INK, linewidth=0.8)
    for place, test in enumerate(found.tests):
        colour = ORANGE if test.adjusted <= found.level else SOFT
        share = test.apart
        axes.plot([share.low, share.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(share.value, place, "o", color=colour, markersize=6)
        axes.annotate(
            f"p {p_value(test.adjusted)}",
            (share.value, place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=colour,
        )
    axes.set_yticks(range(len(found.tests)), [test.name for test in found.tests])
    axes.set_ylim(len(found.tests) - 0.5, -0.6)
    lowest = min(0.4, *(test.apart.low - 0.05 for test in found.tests))
    axes.set_xlim(max(lowest, -0.03), 1.03)
    axes.set_xlabel("share of pairs, new and reference; 0.5: alike", fontsize=8)
    axes.set_title("how far apart (95 %; adjusted p)", loc="left", fontsize=9, color=INK)


def _scores(axes: Axes, found: Drift) -> None:
    new, old = found.scores["combined"]
    low, high = np.quantile(np.concatenate([new, old]), [0.005, 0.995])
    for values, colour, name in ((old, BLUE, "reference"), (new, ORANGE, "new")):
        axes.plot(np.sort(values), np.arange(1, len(values) + 1) / len(values), color=colour, linewidth=1.6, label=name)
    if high > low:
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    spread = max(float(np.subtract(*np.quantile(old, [0.95, 0.05]))), 1e-9)
    if high - low > 20 * spread:  # new images are so far away that the reference would be a single step
        axes.set_xscale("symlog", linthresh=spread)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8, loc="best")
    axes.set_xlabel("right is more normal", fontsize=8)
    axes.set_ylabel("share of images up to here", fontsize=8)
    axes.set_title("combined scores", loc="left", fontsize=9, color=INK)


def _units(axes: Axes, found: Drift) -> None:
    rows = found.moved[:UNITS]
    colours = [ORANGE if row.adjusted <= found.level else SOFT for row in rows]
    axes.barh(range(len(rows)), [row.shift for row in rows], color=colours, height=0.65)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [str(row.unit) for row in rows], fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    widest = max((abs(row.shift) for row in rows), default=0.0)
    axes.set_xlim(-max(1.15 * widest, 0.2), max(1.15 * widest, 0.2))
    axes.set_xlabel("shift of the mean, standard deviations", fontsize=8)
    kind = "channels" if found.spatial else "numbers"
    axes.set_title(f"{kind} of the code that moved most", loc="left", fontsize=9, color=INK)
