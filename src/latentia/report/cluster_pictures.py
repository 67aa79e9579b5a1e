"""Clusters as pictures: an overview with a row for each, a contact sheet for each, and the evidence for their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentia.core.atomic import storage_errors
from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import BLUE, INK, ORANGE, SOFT, frame, new_figure, save, shorten, styled, title
from latentia.tasks.clusters import Clusters

KINDS = ("most central", "on the border", "odd")
OVERVIEW = (8, 4, 4)  # images of each kind in a row of the overview
SHEET_COLUMNS, SHEET_ROWS = 12, {"most central": 3, "on the border": 2, "odd": 2}
GAP = 0.08  # between images, as a share of their width


def draw_clusters(clusters: Clusters, images: ImageSet, folder: Path) -> list[Path]:
    """Draw ``overview.png``, ``number.png`` (where there is evidence) and ``cluster-00.png`` … into ``folder``; return them."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    drawn = [save(overview(clusters, images), folder / "overview.png")]
    if clusters.evidence:
        drawn.append(save(evidence(clusters), folder / "number.png"))
    for each in range(clusters.count):
        drawn.append(save(sheet(clusters, images, each), folder / f"cluster-{each:02d}.png"))
    return drawn


def examples(clusters: Clusters, cluster: int, counts: tuple[int, ...]) -> list[npt.NDArray[np.int64]]:
    """Return places of the most central, border and odd members, ``counts`` of each at most and none of them twice.

    Central are those nearest to the cluster's mean code, on the border those of least membership, odd those farthest away.
    A cluster too small for all counts is shared out in their proportion.
    """
    central = clusters.members(cluster)
    if len(central) < sum(counts):
        shares = [len(central) * count // sum(counts) for count in counts[1:]]
        counts = (len(central) - sum(shares), *shares)
    odd = central[::-1]
    border = central[np.argsort(clusters.membership[central], kind="stable")]
    taken: set[int] = set()
    found = []
    for order, count in zip((central, border, odd), counts, strict=True):
        chosen = [int(place) for place in order if int(place) not in taken][:count]
        taken.update(chosen)
        found.append(np.array(chosen, dtype=np.int64))
    return found


def overview(clusters: Clusters, images: ImageSet) -> Figure:
    """Return a row for each cluster: its most central, border and odd members."""
    aspect = min(images.format.height / images.format.width, 2.0)
    cell = 0.52
    with styled():
        rows = max(clusters.count, 1)
        figure = new_figure(sum(OVERVIEW) * cell + 2.2, rows * (cell * aspect + 0.06) + 0.95)
        grid = figure.subplots(rows, 3, squeeze=False, gridspec_kw={"width_ratios": OVERVIEW, "wspace": 0.02})
        for row in range(rows):
            for column, (kind, count) in enumerate(zip(KINDS, OVERVIEW, strict=True)):
                axes = grid[row, column]
                if row == 0:
                    axes.set_title(kind, fontsize=8.5, color=SOFT, loc="left")
                if row >= clusters.count:
                    axes.set_axis_off()
                    continue
                chosen = examples(clusters, row, OVERVIEW)[column]
                _tile(axes, images, chosen, count, 1)
            if row < clusters.count:
                each = clusters.summaries[row]
                grid[row, 0].set_ylabel(
                    f"cluster {row}\n{each.size:,} images", fontsize=8, color=INK, rotation=0, ha="right", va="center"
                )
        title(figure, *_heading(clusters))
    return figure


def sheet(clusters: Clusters, images: ImageSet, cluster: int) -> Figure:
    """Return one cluster's contact sheet."""
    aspect = min(images.format.height / images.format.width, 2.0)
    cell, lines = 0.72, SHEET_ROWS
    counts = tuple(SHEET_COLUMNS * lines[kind] for kind in KINDS)
    chosen = examples(clusters, cluster, counts)
    each = clusters.summaries[cluster]
    with styled():
        shown = [(kind, places) for kind, places in zip(KINDS, chosen, strict=True) if len(places)]
        heights = [-(-len(places) // SHEET_COLUMNS) for _, places in shown]
        figure = new_figure(SHEET_COLUMNS * cell + 0.3, sum(heights) * cell * aspect + 1.6)
        grid = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
        for axes, (kind, places), height in zip(grid[:, 0], shown, heights, strict=True):
            axes.set_title(kind, fontsize=8.5, color=SOFT, loc="left")
            _tile(axes, images, places, SHEET_COLUMNS, height)
        title(
            figure,
            f"cluster {cluster}: {each.size:,} images of {shorten(images.source, 40)}",
            f"stability {each.stability:.2f} (how much of it comes back), cohesion {each.cohesion:.2f} (silhouette)",
        )
    return figure


def evidence(clusters: Clusters) -> Figure:
    """Return what the number of clusters was chosen by, with the number that was taken."""
    names = [name for name in clusters.evidence[0] if name != "clusters"]
    numbers = [row["clusters"] for row in clusters.evidence]
    labels = {
        "modularity": "modularity",
        "gain": "gain of one more cluster\n(1: a true group comes apart)",
        "silhouette": "silhouette",
        "stability": "stability (adjusted Rand index)",
    }
    with styled():
        figure = new_figure(3.6 * len(names) + 0.4, 3.2)
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            axes.plot(
                numbers, [row[name] for row in clusters.evidence], "o-", color=BLUE, markersize=3.5, linewidth=1.2
            )
            for row in clusters.evidence:
                if row["clusters"] == clusters.count:
                    axes.plot(clusters.count, row[name], "D", color=ORANGE, markersize=7)
            axes.set_xlabel("number of clusters")
            axes.set_ylabel(labels.get(name, name))
            axes.xaxis.get_major_locator().set_params(integer=True)
        how = clusters.about["criterion"]
        title(figure, f"{clusters.count} clusters (orange)", f"number {how}" if how == "given" else f"chosen by {how}")
    return figure


def _heading(clusters: Clusters) -> tuple[str, str]:
    about = clusters.about
    stable = "" if np.isnan(clusters.stability) else f"; stability {clusters.stability:.2f}"
    nowhere = int((clusters.labels < 0).sum())
    out = f"; {nowhere:,} images in none" if nowhere else ""
    return (
        f"{clusters.count} clusters of {len(clusters):,} images: {shorten(str(about['source']), 40)}",
        f"{about['method']} on {about['space']}{stable}{out}",
    )


def _tile(axes: Axes, images: ImageSet, places: npt.NDArray[np.int64], columns: int, rows: int) -> None:
    """Draw images side by side on one white mosaic."""
    axes.imshow(
        mosaic(images, places, columns, rows), cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest", aspect="equal"
    )
    frame(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)


def mosaic(images: ImageSet, places: npt.NDArray[np.int64], columns: int, rows: int) -> npt.NDArray[np.float32]:
    """Return images on white: ``[H, W]`` or ``[H, W, 3]``, 0 to 1."""
    height, width = images.format.height, images.format.width
    gap = max(1, round(GAP * width))
    pictures: Any = displayable(images.pixels[places], images.format) if len(places) else np.ones((0, height, width))
    canvas = np.ones(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, *pictures.shape[3:]), dtype=np.float32
    )
    for number, picture in enumerate(pictures[: rows * columns]):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return canvas
