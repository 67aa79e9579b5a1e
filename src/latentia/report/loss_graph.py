"""The loss as a graph: training and validation, and each further term in a panel of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentia.report.style import BLUE, INK, ORANGE, SOFT, log_where_wide, new_figure, styled, title

NAMES = {"mse": "per-pixel MSE", "kl": "KL, nats", "reconstruction": "reconstruction, nats", "loss": "loss, nats"}


def loss_graph(history: Sequence[Mapping[str, Any]], name: str = "training") -> Figure:
    """Return the graph of ``history``: one record an epoch with ``train`` and, where there is one, ``validation``.

    The loss is drawn large, the other terms small beside it; a term that equals the loss is left out.
    """
    terms = _terms(history)
    with styled():
        figure = new_figure(8.6 if len(terms) > 1 else 6.4, 3.6)
        if len(terms) > 1:
            rows = max(len(terms) - 1, 1)
            layout = figure.add_gridspec(rows, 2, width_ratios=[1.7, 1])
            _panel(figure.add_subplot(layout[:, 0]), history, "loss", large=True)
            for row, term in enumerate(terms[1:]):
                _panel(figure.add_subplot(layout[row, 1]), history, term, large=False)
        else:
            _panel(figure.subplots(), history, "loss", large=True)
        title(figure, f"loss: {name}")
    return figure


def loss_panels(history: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Return the same as one figure for each term, the loss first, by the name that a person reads."""
    panels = {}
    for term in _terms(history):
        with styled():
            figure = new_figure(4.6, 3.0)
            _panel(figure.subplots(), history, term, large=True)
        panels[NAMES.get(term, term)] = figure
    return panels


def _terms(history: Sequence[Mapping[str, Any]]) -> list[str]:
    seen: dict[str, None] = {"loss": None}
    for record in history:
        for part in ("train", "validation"):
            seen.update(dict.fromkeys(record.get(part) or {}))
    return [term for term in seen if term == "loss" or not _same_as_loss(history, term)][:6]


def _same_as_loss(history: Sequence[Mapping[str, Any]], term: str) -> bool:
    parts = [record.get(part) or {} for record in history for part in ("train", "validation")]
    pairs = [(part[term], part["loss"]) for part in parts if term in part and "loss" in part]
    return bool(pairs) and bool(np.allclose([own for own, _ in pairs], [loss for _, loss in pairs], rtol=1e-6))


def _panel(axes: Axes, history: Sequence[Mapping[str, Any]], term: str, *, large: bool) -> None:
    drawn: list[float] = []
    for part, colour in (("train", BLUE), ("validation", ORANGE)):
        points = [(record["epoch"], record[part][term]) for record in history if term in (record.get(part) or {})]
        points = [(epoch, value) for epoch, value in points if np.isfinite(value)]
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        drawn += values
        axes.plot(epochs, values, color=colour, linewidth=1.8, marker="o", markersize=3 if large else 2, label=part)
        if large and part == "validation":
            best = int(np.argmin(values))
            axes.annotate(
                f"best: epoch {epochs[best]}",
                (epochs[best], values[best]),
                xytext=(0, 14),
                textcoords="offset points",
                ha="right" if best > len(values) / 2 else "left",
                fontsize=8,
                color=SOFT,
                arrowprops={"arrowstyle": "-", "color": SOFT, "linewidth": 0.6},
            )
    _leave_out_the_start(axes, history, term, drawn)
    log_where_wide(axes, drawn)
    axes.set_title(NAMES.get(term, term), loc="left", fontsize=9 if large else 8, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if large:
        axes.set_xlabel("epoch")
        if drawn:
            axes.legend(loc="upper right")
    else:
        axes.tick_params(labelsize=7)


def _leave_out_the_start(axes: Axes, history: Sequence[Mapping[str, Any]], term: str, drawn: list[float]) -> None:
    """Let the axis begin below the first epoch's training figure where that would press all others flat; say so."""
    first = history[0]["train"].get(term) if history else None
    others = sorted(value for value in drawn if value != first)
    if first is None or len(others) < 8:
        return
    low, high = others[0], others[-1]
    if first - high > 1.5 * (high - low) > 0:
        axes.set_ylim(low - 0.08 * (high - low), high + 0.25 * (high - low))
        axes.text(
            0.02, 0.98, f"epoch 1, training: {first:.4g}", transform=axes.transAxes, va="top", fontsize=8, color=SOFT
        )
