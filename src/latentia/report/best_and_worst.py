"""The best and the worst reconstructed images: where a model is at home, and where it is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.style import INK, new_figure, show_image, styled, title


def best_and_worst(
    originals: ImageSet, reconstructed: ImageSet, errors: npt.NDArray[np.float64], n: int = 10
) -> Figure:
    """Return the ``n`` images of least and of greatest error, each above its reconstruction, with error and name."""
    order = np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")
    count = max(1, min(n, len(order) // 2 or 1))
    rows = [("best", order[:count]), ("worst", order[::-1][:count])]
    cell, aspect = max(0.75, min(1.5, 11.0 / count)), min(originals.format.height / originals.format.width, 3.0)
    with styled():
        figure = new_figure(max(count * cell + 0.4, 4.2), 4 * cell * aspect + 1.4)
        grid = figure.subplots(4, count, squeeze=False, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
        for block, (name, chosen) in enumerate(rows):
            above = displayable(originals.pixels[chosen], originals.format)
            below = displayable(reconstructed.pixels[chosen], originals.format)
            for column, index in enumerate(chosen):
                show_image(grid[2 * block, column], above[column])
                caption = f"{errors[index]:.4f}\n{_short(originals.names[index])}"
                axes = grid[2 * block + 1, column]
                show_image(axes, below[column])
                axes.set_xlabel(caption, fontsize=6.5, color=INK, labelpad=2)
            grid[2 * block, 0].set_ylabel(f"{name}:\noriginal", fontsize=8)
            grid[2 * block + 1, 0].set_ylabel("recon-\nstruction", fontsize=8)
        title(
            figure,
            f"best and worst reconstructed of {len(originals):,} images: {originals.source}",
            "under each pair its per-pixel MSE and its name",
        )
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 14 else "…" + name[-13:]
