"""The map of codes: every image a point, and thumbnails at true positions wherever there is room for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from latentia.data.imageset import UNLABELLED
from latentia.report.images import displayable
from latentia.report.style import SOFT, frame, new_figure, shorten, styled, title
from latentia.tasks.map_codes import Map

SIDE = 9.0  # inches
THUMB = 0.30  # inches
MOST_COLOURS = 20
# Okabe & Ito 2008, then, for more groups, brown, grey and Tol's muted colours; the first are seen on light and on dark
COLOURS = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#5b4ea5",
    "#999933",
    "#a0765b",
    "#7f7f7f",
    "#cc6677",
    "#44aa99",
    "#aa4499",
    "#ddcc77",
    "#6699cc",
    "#117733",
    "#882255",
    "#88ccee",
    "#661100",
    "#332288",
]
METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def map_picture(
    found: Map,
    name: str,
    groups: npt.NDArray[np.int64] | None = None,
    group_names: Sequence[str] = (),
    kind: str = "label",
) -> Figure:
    """Return the map.

    Args:
        found: the map.
        name: what the title says it is of.
        groups: int64 ``[M]``, what colours stand for; the images' labels where ``None``, and no colour without any. -1 is grey.
        group_names: the groups' names.
        kind: what a group is called.
    """
    if groups is None and found.images.labels is not None:
        groups, group_names = found.images.labels, found.images.classes
    colours, legend = colours_of(groups, group_names, len(found.positions))
    with styled():
        figure = new_figure(SIDE + (1.2 if legend else 0.0), SIDE)
        axes = figure.subplots()
        x, y = found.positions.T
        axes.scatter(x, y, s=5, c=colours, alpha=0.55, linewidths=0)
        _thumbnails(axes, found, colours if legend else [SOFT] * len(colours), SIDE * 0.92)
        frame(axes)
        axes.margins(0.03)
        if legend:
            marks = [Line2D([], [], marker="o", linestyle="", color=colour, label=text) for text, colour in legend]
            figure.legend(
                handles=marks, loc="outside right upper", fontsize=8, title=kind, title_fontsize=8, handletextpad=0.2
            )
        trust = "" if np.isnan(found.trustworthiness) else f"; trustworthiness {found.trustworthiness:.3f} (1 is best)"
        count = f"{len(found.positions):,} images" + (f" of {found.of:,}" if found.of > len(found.positions) else "")
        distances = "" if found.method == "pca" else "; near is alike, but far apart says little"
        title(figure, f"{METHODS[found.method]} map of {count}: {name}", f"one point, one image{trust}{distances}")
    return figure


def bare_map(found: Map, colours: Sequence[str], side: float) -> Figure:
    """Return points and thumbnails alone, ``side`` inches, for a page that says the rest."""
    with styled():
        figure = new_figure(side, side * 0.8)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.scatter(found.positions[:, 0], found.positions[:, 1], s=6, c=list(colours), alpha=0.7, linewidths=0)
        _thumbnails(axes, found, colours, side)
        axes.set_axis_off()
        axes.margins(0.03)
    return figure


def chosen_thumbnails(positions: npt.NDArray[Any], share: float) -> npt.NDArray[np.int64]:
    """Return the images that get a thumbnail: no two nearer than ``share`` of the map's extent, along both axes.

    The walk starts where the map is densest in cells, so that groups are shown from their middle.
    """
    span = np.maximum(np.ptp(positions, axis=0), 1e-12)
    unit = (positions - positions.min(axis=0)) / span
    cells = np.floor(unit / share).astype(np.int64)
    _, index, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    middle = np.abs(unit / share - cells - 0.5).max(axis=1)
    order = np.lexsort((middle, -counts[index.ravel()]))
    chosen: list[int] = []
    kept = np.empty((0, 2))
    for place in order:
        if not len(kept) or np.abs(kept - unit[place]).max(axis=1).min() >= share:
            chosen.append(int(place))
            kept = np.vstack([kept, unit[place]])
    return np.array(chosen, dtype=np.int64)


def _thumbnails(axes: Axes, found: Map, colours: Sequence[str], span: float) -> None:
    """Draw thumbnails wherever one has room on axes ``span`` inches wide."""
    chosen = chosen_thumbnails(found.positions, 1.22 * THUMB / span)
    images = found.images
    pictures = displayable(images.pixels[chosen], images.format)
    side = max(images.format.height, images.format.width)
    for place, picture in zip(chosen, pictures, strict=True):
        # a thumbnail is THUMB inches whatever the images' size; OffsetImage counts in points of 1/72 inch
        shown = OffsetImage(picture, zoom=THUMB * 72 / side, cmap="gray", interpolation="antialiased")
        shown.image.set_clim(0.0, 1.0)
        axes.add_artist(
            AnnotationBbox(
                shown,
                tuple(found.positions[place]),
                pad=0.08,
                bboxprops={"edgecolor": colours[place], "linewidth": 1.1, "facecolor": "white"},
            )
        )


def colours_of(
    groups: npt.NDArray[np.int64] | None, names: Sequence[str], count: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return a colour for each image and the legend: the largest groups have one each, all others are grey."""
    grey = "#b4b9c2"
    if groups is None or not (groups > UNLABELLED).any():
        return [grey if groups is not None else COLOURS[0]] * count, []
    values, counts = np.unique(groups[groups > UNLABELLED], return_counts=True)
    shown = np.sort(values[np.argsort(-counts, kind="stable")][:MOST_COLOURS]).tolist()
    colour = {value: COLOURS[index] for index, value in enumerate(shown)}
    legend = [(shorten(names[value] if value < len(names) else str(value), 18), colour[value]) for value in shown]
    listed = [colour.get(value, grey) for value in groups.tolist()]
    if grey in listed:
        legend.append(("none or other", grey))
    return listed, legend
