"""Reconstruction: what the model makes of an image, and how far that is from it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.data.thumbnails import sheet
from latentia.model import Autoencoder
from latentia.tasks.apply import format_for, over, to_pixels


@dataclasses.dataclass(frozen=True)
class Reconstruction(Printed):
    """Images, their reconstructions, and the error of each.

    Attributes:
        originals: what went in.
        images: what came out: same names, shape, dtype and range.
        errors: float64 ``[N]``, the per-pixel squared error, pixels in [0, 1] and reconstructions within it.
    """

    originals: ImageSet
    images: ImageSet
    errors: npt.NDArray[np.float64]

    def __str__(self) -> str:
        return f"{len(self.images)} images reconstructed, per-pixel MSE {self.errors.mean():.5f}"

    def _pictures_html(self) -> str:
        return sheet([self.originals, self.images])


def reconstruct(model: Autoencoder, images: ImageSet) -> Reconstruction:
    """Return the deterministic reconstruction of every image.

    Raises:
        UserError: model and images do not fit each other.
    """
    pixel_format = format_for(model, images)
    errors: list[npt.NDArray[np.float64]] = []

    def step(batch: Any) -> npt.NDArray[Any]:
        output = model(batch.pixels)
        errors.append(squared_error(output, batch.pixels).cpu().numpy())
        return to_pixels(output, pixel_format)

    pixels = over(model, images, step)
    return Reconstruction(images, images.with_pixels(pixels), np.concatenate(errors))


def reconstruction_errors(model: Autoencoder, images: ImageSet) -> npt.NDArray[np.float64]:
    """Return the error of each image's reconstruction alone, float64 ``[N]``, as in :class:`Reconstruction`."""
    found: npt.NDArray[np.float64] = over(model, images, lambda batch: squared_error(model(batch.pixels), batch.pixels))
    return found


def squared_error(restored: Tensor, pixels: Tensor) -> Tensor:
    """Return the per-pixel squared error of each of ``[B, C, H, W]``, float64 ``[B]``."""
    return (restored - pixels).double().square().flatten(1).mean(1)
