"""Learned convolution filters: what the first layer looks for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure

from latentia.report.rows_of_images import rows_of_images


def filter_pictures(weights: npt.NDArray[np.float32], most: int = 64) -> list[npt.NDArray[np.float64]]:
    """Return filters ``[filters, C, kh, kw]`` as pictures ``[kh, kw, 3]`` in [0, 1], the strongest first.

    Three channels are colours around grey; of others the mean is shown: red adds, blue subtracts. Each has its own scale.
    """
    shown = np.nan_to_num(weights[:most])
    order = np.argsort(-np.square(shown).sum(axis=(1, 2, 3)), kind="stable")
    colours = colormaps["RdBu_r"]
    pictures = []
    for kernel in shown[order]:
        span = float(np.abs(kernel).max()) or 1.0
        if shown.shape[1] == 3:
            pictures.append(np.moveaxis(kernel, 0, -1) / (2 * span) + 0.5)
        else:
            pictures.append(np.asarray(colours(kernel.mean(0) / (2 * span) + 0.5))[..., :3])
    return pictures


def draw_filters(
    weights: npt.NDArray[np.float32], heading: str = "filters of the first layer", most: int = 64
) -> Figure:
    """Return filters ``[filters, C, kh, kw]`` as a grid: red adds, blue subtracts; three channels are shown as colours."""
    shown = filter_pictures(weights, most)
    columns = max(1, min(16, math.ceil(math.sqrt(len(shown) * 2))))
    colour = weights.shape[1] == 3
    return rows_of_images(
        [shown[start : start + columns] for start in range(0, len(shown), columns)],
        heading=heading,
        subtitle="strongest first, each on its own scale" + ("" if colour else "; red adds, blue subtracts"),
        cell=0.58,
        narrowest=5.4,
    )
