"""Results side by side: runs as curves, two cross-validations fold by fold."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentia.report.loss_graph import NAMES
from latentia.report.style import BLUE, GREEN, INK, ORANGE, PINK, PURPLE, SOFT, new_figure, shorten, styled, title
from latentia.studies.comparison import RunComparison
from latentia.studies.result import Comparison

COLOURS = (BLUE, ORANGE, GREEN, PINK, PURPLE, SOFT)
LINES = ("-", "--", ":", "-.")
MOST = 4  # panels


def runs_side_by_side(comparison: RunComparison) -> Figure:
    """Return the curves of each figure that the runs share, the best epoch of each marked."""
    terms = _terms(comparison)
    with styled():
        figure = new_figure(max(4.4 * len(terms), 5.4), 3.6 + 0.2 * len(comparison.runs))
        panels: list[Axes] = list(figure.subplots(1, len(terms), squeeze=False)[0])
        for axes, term in zip(panels, terms, strict=True):
            _curves(axes, comparison, term)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", fontsize=8, ncols=1)
        on = sorted({run.on for run in comparison.runs})
        subtitle = (
            "dots: best epochs"
            if comparison.same_images
            else "dots: best epochs; of different images: not to be compared"
        )
        title(figure, f"{len(comparison.runs)} runs on {' or '.join(on)} images", subtitle)
    return figure


def curve_panels(comparison: RunComparison) -> dict[str, Figure]:
    """Return the same as one figure for each term, by the name that a person reads."""
    panels: dict[str, Figure] = {}
    for term in _terms(comparison):
        with styled():
            figure = new_figure(4.6, 3.0)
            axes = figure.subplots()
            _curves(axes, comparison, term)
            if not panels:
                axes.legend(fontsize=7.5)
        panels[NAMES.get(term, term)] = figure
    return panels


def _terms(comparison: RunComparison) -> list[str]:
    shared = [term for term, values in comparison.figures.items() if None not in values][:MOST]
    return [term for term in shared if not _repeats_the_loss(comparison, term)] or ["loss"]


def folds_side_by_side(comparison: Comparison) -> Figure:
    """Return both results' figure on each fold, joined by a line, and beside it the differences with their interval."""
    found = comparison.difference
    names = [shorten(name, 26) for name in comparison.names]
    with styled():
        figure = new_figure(8.4, 3.4)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.25]})
        for first, second in zip(*comparison.values, strict=True):
            left.plot([0, 1], [first, second], color=SOFT, linewidth=0.8, marker="o", markersize=4)
        means = [float(np.mean(values)) for values in comparison.values]
        left.plot([0, 1], means, color=BLUE, linewidth=2, marker="D", markersize=6)
        left.set_xticks([0, 1], names, fontsize=8)
        left.set_xlim(-0.35, 1.35)
        left.set_title(f"{comparison.metric}: folds, and means in blue", loc="left", fontsize=9, color=INK)
        right.axvline(0.0, color=INK, linewidth=0.8)
        if found.low == found.low:
            right.axvspan(found.low, found.high, color=BLUE, alpha=0.12, linewidth=0)
        right.axvline(found.mean, color=BLUE, linewidth=1.6)
        right.scatter(found.values, range(len(found.values)), color=ORANGE, s=22, zorder=3)
        right.set_ylim(len(found.values) - 0.4, -0.6)
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        right.xaxis.set_major_locator(MaxNLocator(5))
        right.set_ylabel("fold", color=SOFT)
        right.set_title("difference, its mean and 95 % interval (corrected)", loc="left", fontsize=9, color=INK)
        title(figure, f"{names[0]} less {names[1]}", comparison.verdict)
    return figure


def _curves(axes: Axes, comparison: RunComparison, term: str) -> None:
    late: list[float] = []
    for number, (run, name) in enumerate(zip(comparison.runs, comparison.names, strict=True)):
        part = "validation" if run.on == "validation" else "train"
        points = [(record["epoch"], record[part][term]) for record in run.history if term in (record.get(part) or {})]
        points = [(epoch, value) for epoch, value in points if np.isfinite(value)]
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        colour, line = COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)]
        axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.5, label=shorten(name, 60))
        if run.best_epoch in epochs:
            axes.plot(run.best_epoch, values[epochs.index(run.best_epoch)], "o", color=colour, markersize=4)
        late += values[len(values) // 10 :]
    if late and max(late) > min(late):
        low, high = min(late), max(late)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.08 * (high - low))
    axes.set_title(NAMES.get(term, term), loc="left", fontsize=9, color=INK)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _repeats_the_loss(comparison: RunComparison, term: str) -> bool:
    return term != "loss" and all(run.figures.get("loss") == run.figures.get(term) for run in comparison.runs)
