"""The pictures of a classifier: loss and accuracy, confusion, mistakes, reliability, and some of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from latentia.core.atomic import storage_errors
from latentia.report.images import displayable
from latentia.report.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    PLAIN,
    SOFT,
    log_where_wide,
    new_figure,
    save,
    short_name,
    shorten,
    show_image,
    styled,
    title,
)
from latentia.tasks.predict import Prediction

MOST_NAMED = 20  # classes whose names and counts are written into the confusion matrix
LINES = (
    ("classification", "cross-entropy, labelled", BLUE),
    ("consistency", "consistency, unlabelled", ORANGE),
    ("reconstruction", "reconstruction", PINK),
)
SHARES = (("accuracy", "right, labelled as augmented", BLUE), ("confident", "sure, unlabelled", GREEN))


def draw_classifier(
    folder: Path, name: str, history: Sequence[Mapping[str, Any]], shown: Prediction | None
) -> list[Path]:
    """Draw what a person wants to see of a classifier into ``folder``; return the files.

    Args:
        folder: where the pictures go, made if it is not there.
        name: what the titles call it.
        history: its ``metrics.jsonl``.
        shown: what it says of images that it did not learn the labels of; those with labels are judged.
    """
    figures = {"loss": learning(history, name)} if len(history) > 1 else {}
    if shown is not None:
        figures["answers"] = answers(shown)
        if shown.judgement() is not None:
            figures |= {"confusion": confusion(shown), "reliability": reliability_diagram(shown)}
            wrong = mistakes(shown)
            figures |= {"mistakes": wrong} if wrong is not None else {}
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    return [save(figure, folder / f"{stem}.png") for stem, figure in figures.items()]


def learning(history: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """Return the terms of the loss and the shares of right and of confident answers, by epoch."""
    with styled():
        figure = new_figure(8.6, 3.4)
        left, right = figure.subplots(1, 2)
        _lines(left, history, LINES)
        _lines(right, history, SHARES)
        left.set_title("terms of the loss, while training", loc="left", fontsize=9)
        right.set_title("share of images, while training", loc="left", fontsize=9)
        title(figure, f"loss and accuracy: {name}")
    return figure


def learning_panels(history: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Return the same as two figures, by name."""
    panels = {}
    for name, lines in (("terms of the loss", LINES), ("share of right and of sure answers", SHARES)):
        with styled():
            figure = new_figure(4.6, 3.0)
            axes = figure.subplots()
            _lines(axes, history, lines)
            axes.set_title(f"{name}, while training", loc="left", fontsize=9, color=INK)
        panels[name] = figure
    return panels


def _lines(axes: Axes, history: Sequence[Mapping[str, Any]], lines: Sequence[tuple[str, str, str]]) -> None:
    epochs = [record["epoch"] for record in history]
    drawn = []
    for term, label, colour in lines:
        values = [record["train"].get(term, np.nan) for record in history]
        if np.isfinite(values).any():
            axes.plot(epochs, values, color=colour, linewidth=1.6, label=label)
            drawn += values
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8)
    if lines is SHARES:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        log_where_wide(axes, drawn)


def confusion(shown: Prediction) -> Figure:
    """Return the confusion matrix: a row for each true class; what is right is set apart from what is wrong."""
    judged = shown.judgement()
    assert judged is not None  # a developer's invariant: asked only where there are labels
    counts, classes = judged.confusion, [shorten(name, 14) for name in shown.classes]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong = np.where(np.eye(len(counts), dtype=bool), 0.0, share)
    side = min(max(3.6, 0.45 * len(classes) + 1.6), 9.0)
    with styled():
        figure = new_figure(side + 0.6, side)
        axes = figure.subplots()
        # the colour shows the mistakes: on one scale with what is right they would be invisible
        axes.imshow(wrong, cmap="Oranges", vmin=0.0, vmax=max(2.0 * float(wrong.max()), 0.02))
        axes.grid(visible=False)
        if len(classes) <= MOST_NAMED:
            for row, column in np.ndindex(*counts.shape):
                if counts[row, column]:
                    right = row == column
                    axes.text(
                        column,
                        row,
                        f"{counts[row, column]:,}",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color=BLUE if right else INK,
                        fontweight="bold" if right else "normal",
                    )
            axes.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 3 else 0)
            axes.set_yticks(range(len(classes)), classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true class")
        text = f"confusion: error {judged.error:.2%} of {judged.count:,} images"
        if judged.strange:
            text += f"; {sum(judged.strange.values()):,} of unknown classes, not shown"
        title(figure, text, _where(shown))
    return figure


def reliability_diagram(shown: Prediction) -> Figure:
    """Return how often answers are right against how sure they are; below, how many answers are so sure."""
    judged = shown.judgement()
    assert judged is not None  # a developer's invariant: asked only where there are labels
    bins = judged.reliability
    filled = np.flatnonzero(np.array(bins.counts))
    middle = (np.array(bins.edges[1:]) + np.array(bins.edges[:-1])) / 2
    width = 0.9 * (bins.edges[1] - bins.edges[0])
    with styled():
        figure = new_figure(4.8, 5.0)
        above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        above.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--", label="as sure as right")
        above.bar(middle[filled], np.array(bins.accuracy)[filled], width, color=BLUE, alpha=0.35)
        above.plot(
            np.array(bins.confidence)[filled],
            np.array(bins.accuracy)[filled],
            "o",
            color=ORANGE,
            label="each bin's means",
        )
        above.set_ylabel("share that is right")
        above.set_ylim(0, 1.03)
        above.legend(loc="upper left", fontsize=8)
        below.bar(middle[filled], np.array(bins.counts)[filled], width, color=SOFT)
        below.set_yscale("log")
        below.yaxis.set_major_formatter(PLAIN)
        below.set_ylabel("images")
        below.set_xlabel("calibrated probability of the answer")
        below.set_xlim(0, 1)
        title(figure, f"reliability: expected calibration error {judged.calibration_error:.2%}", _where(shown))
    return figure


def mistakes(shown: Prediction, n: int = 30) -> Figure | None:
    """Return the wrongly named images, the surest first, or ``None`` where there are none."""
    assert shown.truth is not None  # a developer's invariant: asked only where there are labels
    wrong = np.flatnonzero((shown.truth != -1) & (shown.labels != shown.truth))
    if not len(wrong):
        return None
    wrong = wrong[np.argsort(-shown.probabilities[wrong].max(1), kind="stable")]
    truth = shown.true_names
    captions = [
        f"{shorten(truth[i], 10)}, said {shorten(shown.classes[shown.labels[i]], 10)}\n"
        f"{shown.probabilities[i].max():.0%}  {short_name(shown.images.names[i])}"
        for i in wrong[:n]
    ]
    text = f"{len(wrong):,} mistakes" + (f", the {n} it was surest of" if len(wrong) > n else "")
    return _sheet(shown, wrong[:n], captions, text)


def answers(shown: Prediction, n: int = 30) -> Figure:
    """Return random images with what the classifier says of them."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(shown.images))[:n])
    said = shown.answers
    captions = [
        f"{shorten(said[i], 12)}  {shown.probabilities[i].max():.0%}\n{short_name(shown.images.names[i])}"
        for i in chosen
    ]
    return _sheet(shown, chosen, captions, f"{len(chosen)} random images and what the classifier says")


def _sheet(shown: Prediction, chosen: npt.NDArray[np.int64], captions: list[str], text: str) -> Figure:
    columns = min(10, len(chosen))
    rows = -(-len(chosen) // columns)
    pixels = displayable(shown.images.pixels[chosen], shown.images.format)
    aspect = min(shown.images.format.height / shown.images.format.width, 3.0)
    with styled():
        figure = new_figure(max(columns * 1.05, 4.6), rows * (1.0 * aspect + 0.42) + 0.7)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, picture, caption in zip(grid, pixels, captions, strict=False):
            show_image(axes, picture)
            axes.set_xlabel(caption, fontsize=6.5, color=INK, labelpad=2)
        for axes in grid[len(chosen) :]:
            axes.set_visible(False)
        title(figure, text, _where(shown))
    return figure


def _where(shown: Prediction) -> str:
    return f"{shown.images.source}, {shown.images.split} images"
