"""Denoising: given noisy images, restored as they are; nothing is corrupted further (Vincent et al. 2008)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.own_size import at_own_size
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import BATCH, check_fit, format_for, to_pixels
from latentia.tasks.tiles import BATCH_PIXELS, TILE, tiled


def takes_any_size(model: Autoencoder) -> bool:
    """Return whether the model's code keeps positions, so that it takes images of any size."""
    return len(model.code_shape) == 3


def denoise(model: Autoencoder, images: ImageSet, *, tile: int = TILE) -> ImageSet:
    """Return ``images`` restored: same names, size, dtype and range.

    Args:
        model: any autoencoder; one with a spatial code takes any size.
        images: noisy images.
        tile: larger images go through the network in overlapping tiles of this side, in pixels.

    Raises:
        UserError: model and images do not fit each other, or a tile is too small for the model.
    """
    check_fit(model, images)
    if tile < max(16, model.multiple):
        raise UserError(f"the tile is {tile}, but it must be at least {max(16, model.multiple)} pixels for this model")
    tile = tile // model.multiple * model.multiple
    pixel_format = format_for(model, images)
    height, width = images.pixels.shape[2:]
    large = takes_any_size(model) and max(height, width) > tile
    together = 1 if large else max(1, min(BATCH, BATCH_PIXELS // (height * width)))
    restored = np.empty_like(images.pixels, shape=images.pixels.shape)
    with evaluating(model):
        for start in tqdm(range(0, len(images), together), unit=" batches", delay=2.0, disable=None, leave=False):
            batch = _unit(model, images.pixels[start : start + together], pixel_format)
            output = tiled(model, batch[0], tile, multiple=model.multiple)[None] if large else model(batch)
            restored[start : start + together] = to_pixels(output, pixel_format)
    return images.with_pixels(restored)


def denoise_parts(model: Autoencoder, images: ImageSet, *, tile: int = TILE) -> Iterator[tuple[ImageSet, ImageSet]]:
    """Yield noisy and restored images, each part of one size: their own where the model takes any, else the model's."""
    for part in at_own_size(images) if takes_any_size(model) else [images]:
        yield part, denoise(model, part, tile=tile)


def _unit(model: Autoencoder, pixels: npt.NDArray[Any], pixel_format: PixelFormat) -> Tensor:
    return torch.from_numpy(pixel_format.to_unit(np.asarray(pixels))).to(next(model.parameters()).device)
