"""Learned convolution filters: what the first layer looks for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.report.style import frame, new_figure, styled, title


def draw_filters(
    weights: npt.NDArray[np.float32], heading: str = "filters of the first layer", most: int = 64
) -> Figure:
    """Return filters ``[filters, C, kh, kw]`` as a grid: red adds, blue subtracts; three channels are shown as colours."""
    shown = np.nan_to_num(weights[:most])
    colour = shown.shape[1] == 3
    order = np.argsort(-np.square(shown).sum(axis=(1, 2, 3)), kind="stable")
    columns = max(1, min(16, math.ceil(math.sqrt(len(shown) * 2))))
    rows = math.ceil(len(shown) / columns)
    with styled():
        figure = new_figure(max(columns * 0.6, 5.4), rows * 0.6 + 0.7)
        grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
        for position, axes in enumerate(grid.flat):
            if position >= len(shown):
                axes.set_visible(False)
                continue
            kernel = shown[order[position]]
            span = float(np.abs(kernel).max()) or 1.0
            if colour:
                axes.imshow(np.moveaxis(kernel, 0, -1) / (2 * span) + 0.5, interpolation="nearest")
            else:
                axes.imshow(kernel.mean(0), cmap="RdBu_r", vmin=-span, vmax=span, interpolation="nearest")
            frame(axes)
        title(
            figure,
            heading,
            "strongest first, each on its own scale" + ("" if colour else "; red adds, blue subtracts"),
        )
    return figure
