"""The pictures of a cross-validation: losses with a band over folds, and the worst images out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentia.core.atomic import storage_errors
from latentia.report.images import displayable
from latentia.report.loss_graph import NAMES
from latentia.report.style import BLUE, INK, ORANGE, SOFT, new_figure, save, short_name, show_image, styled, title
from latentia.studies.result import METRIC, CrossValidation

HIDDEN = 0.15  # the share of the first epochs that the axis may leave out


def draw_crossvalidation(result: CrossValidation) -> list[Path]:
    """Draw the pictures of ``result`` into its folder's ``figures``; return the files."""
    figures = {name: draw(result) for name, draw in CROSSVALIDATION_FIGURES.items()}
    with storage_errors(result.path / "figures"):
        (result.path / "figures").mkdir(exist_ok=True)
    return [save(figure, result.path / "figures" / f"{stem}.png") for stem, figure in figures.items()]


def loss_bands(result: CrossValidation) -> Figure:
    """Return loss and per-pixel error over epochs: the mean over folds, one standard deviation as a band, each fold thin."""
    histories = [fold.history for fold in result.folds]
    terms = [term for term in ("loss", "mse") if len(_curves(histories, "validation", term))] or ["loss"]
    with styled():
        figure = new_figure(4.6 * len(terms), 3.7)
        for axes, term in zip(np.atleast_1d(figure.subplots(1, len(terms))), terms, strict=True):
            _bands(axes, histories, term)
        title(
            figure,
            f"loss over {len(histories)} folds: {_name(result)}",
            "lines: mean over folds; bands: ± one standard deviation; validation is the part that chooses the epoch",
        )
    return figure


def band_panels(result: CrossValidation) -> dict[str, Figure]:
    """Return the same as one figure for each term, by the name that a person reads."""
    histories = [fold.history for fold in result.folds]
    panels = {}
    for term in [term for term in ("loss", "mse") if len(_curves(histories, "validation", term))] or ["loss"]:
        with styled():
            figure = new_figure(4.6, 3.0)
            _bands(figure.subplots(), histories, term)
        panels[NAMES.get(term, term)] = figure
    return panels


def fold_figures(result: CrossValidation) -> Figure:
    """Return each fold's out-of-fold error as a dot, with the mean and its corrected interval."""
    found = result.metrics[METRIC]
    with styled():
        figure = new_figure(6.4, 2.4)
        axes = figure.subplots()
        axes.axvspan(
            found.low, found.high, color=BLUE, alpha=0.12, linewidth=0, label="95 % interval of the mean, corrected"
        )
        axes.axvline(found.mean, color=BLUE, linewidth=1.4, label=f"mean {found.mean:.4g}")
        repeats = [fold.fold.repeat for fold in result.folds]
        axes.scatter(found.values, repeats, color=ORANGE, s=26, zorder=3, label="folds")
        axes.set_yticks(sorted(set(repeats)), [f"repeat {repeat + 1}" for repeat in sorted(set(repeats))])
        axes.set_ylim(max(repeats) + 0.6, -0.6)
        axes.set_xlabel("out-of-fold per-pixel MSE, clean input")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        title(figure, f"out-of-fold error of {len(result.folds)} trainings: {_name(result)}")
    return figure


def worst(result: CrossValidation, n: int = 16) -> Figure:
    """Return the ``n`` images of greatest out-of-fold error, each above its reconstruction."""
    chosen = result.worst(n)
    columns = min(8, len(chosen))
    blocks = -(-len(chosen) // columns)
    pixel_format = result.images.format
    above = displayable(np.asarray(result.images.pixels[chosen]), pixel_format)
    below = displayable(np.asarray(result.reconstructions.pixels[chosen]), pixel_format)
    aspect = min(pixel_format.height / pixel_format.width, 3.0)
    with styled():
        figure = new_figure(max(1.2 * columns + 0.4, 4.6), 2 * blocks * 1.3 * aspect + 0.9)
        grid = figure.subplots(2 * blocks, columns, squeeze=False, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
        for axes in grid.flat:
            axes.set_visible(False)
        for place, index in enumerate(chosen):
            row, column = 2 * (place // columns), place % columns
            grid[row, column].set_visible(True)
            grid[row + 1, column].set_visible(True)
            show_image(grid[row, column], above[place])
            show_image(grid[row + 1, column], below[place])
            caption = f"{result.errors[index]:.4f}, fold {result.fold_of[index]}\n{_label(result, int(index))}"
            grid[row + 1, column].set_xlabel(caption, fontsize=6.5, color=INK, labelpad=2)
        title(
            figure,
            f"worst of {len(result.images):,} images out of fold: {_name(result)}",
            "each above what a model that has not seen it makes of it; beneath, per-pixel MSE, fold and name",
        )
    return figure


CROSSVALIDATION_FIGURES: dict[str, Callable[[CrossValidation], Figure]] = {
    "loss-bands": loss_bands,
    "fold-figures": fold_figures,
    "worst-out-of-fold": worst,
}


def _bands(axes: Axes, histories: Sequence[Sequence[dict[str, Any]]], term: str) -> None:
    shown: list[float] = []
    for part, colour in (("train", BLUE), ("validation", ORANGE)):
        curves = _curves(histories, part, term)
        if not len(curves):
            continue
        epochs = np.arange(1, curves.shape[1] + 1)
        # where patience ended some folds earlier, the rest speaks
        mean = np.nanmean(curves, axis=0)
        deviation = np.nanstd(curves, axis=0)
        axes.plot(epochs, curves.T, color=colour, linewidth=0.5, alpha=0.35)
        axes.fill_between(epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)
        axes.plot(epochs, mean, color=colour, linewidth=1.8, label=part)
        late = curves[:, int(HIDDEN * curves.shape[1]) :]
        shown += [float(np.nanmin(late)), float(np.nanmax(late))]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    if high > low:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    axes.set_title(NAMES.get(term, term), loc="left", fontsize=9, color=INK)
    axes.set_xlabel("epoch", color=SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")


def _curves(histories: Sequence[Sequence[dict[str, Any]]], part: str, term: str) -> npt.NDArray[np.float64]:
    """Return ``term`` of ``part`` over epochs, ``[folds, epochs]``, NaN after a fold's end; empty where nobody has it."""
    found = [[record[part][term] for record in history if term in (record.get(part) or {})] for history in histories]
    longest = max(map(len, found), default=0)
    if not longest:
        return np.empty((0, 0))
    return np.array([values + [np.nan] * (longest - len(values)) for values in found if values])


def _label(result: CrossValidation, index: int) -> str:
    name = result.images.names[index]
    short = short_name(name)
    if result.images.labels is None or result.images.labels[index] < 0:
        return short
    return f"{short} ({result.images.classes[result.images.labels[index]]})"


def _name(result: CrossValidation) -> str:
    return f"{result.description['preset']} on {result.description['data']['source']}"
