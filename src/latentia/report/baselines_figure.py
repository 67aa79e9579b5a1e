"""Baselines as a picture: a panel for each task, a point with its interval for each way to do it."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from latentia.report.style import BLUE, GREEN, INK, SOFT, new_figure, shorten, styled, title
from latentia.tasks.baseline_words import OUTCOMES, SHARES, value
from latentia.tasks.baselines import Baselines
from latentia.tasks.trial import Trial

COLUMNS = 3
FLOOR = "most frequent class"  # so low that it would press the others together


def baselines_figure(found: Baselines) -> Figure:
    """Return a panel for each task: the model in blue, the best of the others in green."""
    columns = min(COLUMNS, max(len(found.trials), 1))
    lines = max(1, -(-len(found.trials) // columns))
    tallest = max((len(trial.ways) for trial in found.trials), default=1)
    with styled():
        figure = new_figure(max(3.6 * columns, 5.4), lines * (0.27 * tallest + 1.0) + 0.6)
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, trial in zip(grid, found.trials, strict=False):
            panel(axes, trial)
        for axes in grid[len(found.trials) :]:
            axes.set_visible(False)
        title(
            figure,
            f"{shorten(found.name, 60)} beside what needs no training",
            f"{found.count:,} {shorten(found.judged, 50)}; blue: the model, green: the best of the others; bars: 95 %",
        )
    return figure


def panels(found: Baselines) -> list[tuple[Trial, Figure]]:
    """Return the same as one figure for each task."""
    made = []
    for trial in found.trials:
        with styled():
            figure = new_figure(4.4, 0.27 * len(trial.ways) + 1.0)
            panel(figure.subplots(), trial)
        made.append((trial, figure))
    return made


def panel(axes: Axes, trial: Trial) -> None:
    """Draw one task: a line for each way, its interval and its figure."""
    best, ways = trial.rival, [way for way in trial.ways if way.name != FLOOR]
    for place, way in enumerate(ways):
        colour = BLUE if way is trial.model else GREEN if way is best else SOFT
        if way.low == way.low:
            axes.plot([way.low, way.high], [place, place], color=colour, linewidth=2.4, solid_capstyle="butt")
        axes.plot(way.value, place, "o", color=colour, markersize=5)
        axes.annotate(
            value(trial, way.value),
            (max(way.value, way.high if way.high == way.high else way.value), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=colour,
        )
    ends = [number for way in ways for number in (way.low, way.high, way.value) if number == number]
    width = max(ends) - min(ends) or abs(max(ends)) or 1.0
    axes.set_xlim(min(ends) - 0.06 * width, max(ends) + 0.28 * width)  # room for the figures
    axes.set_yticks(range(len(ways)), [shorten(way.name, 24) for way in ways], fontsize=8)
    axes.set_ylim(len(ways) - 0.5, -0.6)
    ticks = MaxNLocator(4).tick_values(*axes.get_xlim())
    low, high = axes.get_xlim()
    most = min(high, 1.001) if trial.figure in SHARES else high
    axes.set_xticks([tick for tick in ticks if low <= tick <= most])
    if trial.figure in SHARES:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.0%}"))
    axes.tick_params(labelsize=7.5)
    arrow = "right is better" if trial.higher else "left is better"
    axes.set_xlabel(f"{trial.figure} ({arrow})", fontsize=7.5)
    axes.set_title(f"{trial.name}:\n{OUTCOMES[trial.outcome]}", loc="left", fontsize=8.5, color=INK)
