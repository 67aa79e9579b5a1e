"""The picture of a learning curve: error over the number of labels, each way with its band."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from latentia.core.atomic import storage_errors
from latentia.report.style import BLUE, GREEN, ORANGE, PINK, PURPLE, SOFT, new_figure, save, shorten, styled, title
from latentia.studies.curve_result import PRETRAINED, SCRATCH, LearningCurve
from latentia.studies.curve_words import summary

OTHERS = (GREEN, PINK, PURPLE, SOFT, "#8c6d1f", "#56b4e9")
LINES = ("--", ":", "-.")
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def draw_curve(curve: LearningCurve) -> list[Path]:
    """Draw the curve into its folder; return the files."""
    folder = curve.path / "figures"
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    return [save(curve_figure(curve), folder / "learning-curve.png")]


def curve_figure(curve: LearningCurve) -> Figure:
    """Return error over labels on logarithmic axes: means, single draws, and 95 % bands of the two networks."""
    with styled():
        figure = new_figure(8.2, 4.9)
        axes = figure.subplots()
        # the networks last, so that they lie on top
        others = [row for row in curve.methods if row not in (PRETRAINED, SCRATCH)]
        for number, row in enumerate(others):
            line = LINES[number % len(LINES)]
            _line(axes, curve, row, OTHERS[number % len(OTHERS)], line, band=False)
        for row, colour in ((SCRATCH, ORANGE), (PRETRAINED, BLUE)):
            if row in curve.methods:
                _line(axes, curve, row, colour, "-", band=True)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(curve.counts)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
        axes.yaxis.set_major_locator(FixedLocator(TICKS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{100 * value:g} %"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(FixedLocator([]))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("labels")
        axes.set_ylabel(f"error on {curve.judged:,} images")
        handles, names = axes.get_legend_handles_labels()
        first = [curve.methods[row] for row in (PRETRAINED, SCRATCH) if row in curve.methods]
        order = sorted(range(len(names)), key=lambda place: (*first, names[place]).index(names[place]))
        figure.legend(
            [handles[place] for place in order],
            [names[place] for place in order],
            loc="outside lower left",
            ncols=2,
            fontsize=8,
        )
        bands = f"{curve.draws} draws (dots), bands: 95 %" if curve.draws > 1 else "one draw"
        said = summary(curve) if curve.gains else ""
        title(figure, said or "learning curve", f"{shorten(curve.description['data']['source'], 50)}, {bands}")
    return figure


def _line(axes: Axes, curve: LearningCurve, row: str, colour: str, line: str, *, band: bool) -> None:
    found = [(count, figure) for count in curve.counts if (figure := curve.error(row, count)) is not None]
    if not found:
        return
    least = 0.3 / curve.judged  # no error at all has no place on a logarithmic axis
    counts = [count for count, _ in found]
    means = [max(figure.mean, least) for _, figure in found]
    axes.plot(
        counts,
        means,
        color=colour,
        linestyle=line,
        linewidth=2.0 if band else 1.2,
        marker="o",
        markersize=4.5 if band else 3,
        label=curve.methods[row],
    )
    if not band:
        return
    limits = [(max(figure.low, least), figure.high) for _, figure in found]
    if not any(math.isnan(low) for low, _ in limits):
        lows, highs = zip(*limits, strict=True)
        axes.fill_between(counts, lows, highs, color=colour, alpha=0.13, linewidth=0)
    for count, figure in found:
        axes.plot(
            [count] * len(figure.values),
            [max(value, least) for value in figure.values],
            ".",
            color=colour,
            markersize=3.5,
            alpha=0.55,
        )
