"""The evidence behind a selection: every setting's folds, means and intervals, and the limit of one standard error."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from latentia.core.atomic import storage_errors
from latentia.report.style import BLUE, GREEN, ORANGE, SOFT, new_figure, save, shorten, styled, title
from latentia.studies.selection import Selection

MOST = 30  # settings that are drawn, the best of them


def draw_selection(selection: Selection) -> list[Path]:
    """Draw the evidence into the selection's folder; return the files."""
    folder = selection.path / "figures"
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    return [save(evidence(selection), folder / "evidence.png")]


def evidence(selection: Selection) -> Figure:
    """Return each setting in a row: its folds as dots, mean and corrected interval; the recommended one is marked."""
    shown = selection.candidates[:MOST]
    with styled():
        figure = new_figure(8.0, 1.9 + 0.3 * len(shown))
        axes = figure.subplots()
        best = shown[0].figure.mean
        axes.axvspan(
            best, selection.limit, color=GREEN, alpha=0.15, linewidth=0, label="one standard error from the best"
        )
        for row, each in enumerate(shown):
            chosen = each is selection.recommended
            axes.scatter(each.figure.values, [row] * len(each.figure.values), color=SOFT, s=9, alpha=0.7)
            if each.figure.low == each.figure.low:
                axes.hlines(row, each.figure.low, each.figure.high, color=ORANGE if chosen else BLUE, linewidth=1.4)
            axes.plot(each.figure.mean, row, "D" if chosen else "o", color=ORANGE if chosen else BLUE, markersize=6)
        axes.plot([], [], "D", color=ORANGE, label="recommended")
        axes.plot([], [], "o-", color=BLUE, linewidth=1.4, markersize=6, label="mean and 95 % interval, corrected")
        axes.scatter([], [], color=SOFT, s=9, label="folds")
        labels = [f"{shorten(each.name, 40)}  (code {each.code_size:,})" for each in shown]
        axes.set_yticks(range(len(shown)), labels, fontsize=8)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel(f"out-of-fold {selection.metric}, lower is better")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        title(
            figure,
            f"recommended: {shorten(selection.recommended.name, 60)}",
            "the simplest setting (smallest code, then fewest weights) within one standard error of the best",
        )
    return figure
