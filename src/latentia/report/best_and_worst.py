"""The best and the worst reconstructed images: where a model is at home, and where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentia.data.imageset import ImageSet
from latentia.report.images import displayable
from latentia.report.rows_of_images import rows_of_images
from latentia.report.style import short_name


def best_and_worst(
    originals: ImageSet, reconstructed: ImageSet, errors: npt.NDArray[np.float64], n: int = 10
) -> Figure:
    """Return the ``n`` images of least and of greatest error, each above its reconstruction, with error and name."""
    order = np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")
    count = max(1, min(n, len(order) // 2 or 1))
    pictures: list[list[Any]] = []
    captions: list[list[str]] = []
    for chosen in (order[:count], order[::-1][:count]):
        pictures += [
            list(displayable(images.pixels[chosen], originals.format)) for images in (originals, reconstructed)
        ]
        captions += [[], [f"{errors[index]:.4f}\n{short_name(originals.names[index])}" for index in chosen]]
    return rows_of_images(
        pictures,
        heading=f"best and worst reconstructed of {len(originals):,} images: {originals.source}",
        subtitle="under each pair its per-pixel MSE and its name",
        cell=max(0.75, min(1.5, 11.0 / count)),
        names=["best:\noriginal", "recon-\nstruction", "worst:\noriginal", "recon-\nstruction"],
        captions=captions,
    )
