"""Bringing images to a model, batch by batch: shared by the tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.classifier import Classifier
from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.data.batches import Batch
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.stream_batches import batches_of
from latentia.model import Autoencoder
from latentia.training.device import kept_memory

BATCH = 256


def check_fit(model: Autoencoder | Classifier, images: ImageSet) -> None:
    """Raise a :class:`UserError` that names both where model and images do not fit each other."""
    channels, height, width = (int(side) for side in images.pixels.shape[1:])
    wanted = model.format
    if channels != wanted.channels:
        raise UserError(
            f"the model was trained on images of {wanted.channels} channel(s), but {images.source} has {channels}: save them in "
            "the same mode as those (an alpha channel counts, and is given to all images of a folder in which one has it; files "
            "in a folder that have fewer channels are brought to the model's)"
        )
    if len(model.code_shape) == 1 and (height, width) != (wanted.height, wanted.width):
        raise UserError(
            f"the model was trained on images of {wanted.height}x{wanted.width} pixels, but those of {images.source} "
            f"are {height}x{width}: give --size {wanted.height}x{wanted.width} to bring them to one size"
        )


def format_for(model: Autoencoder | Classifier, images: ImageSet) -> PixelFormat:
    """Return the format by which ``images`` are read: the model's range for its own dtype, else the images' own."""
    own = images.format
    if own.dtype != model.format.dtype:
        return own
    return PixelFormat(*own.shape, own.dtype, model.format.low, model.format.high)


def batches(model: Autoencoder | Classifier, images: ImageSet, batch_size: int = BATCH) -> Iterator[Batch]:
    """Yield ``images`` in order, float32 in [0, 1], where the model is; checked to fit."""
    check_fit(model, images)
    device = next(model.parameters()).device
    yield from batches_of(images, format_for(model, images), batch_size, device)


def to_pixels(unit: Tensor, pixel_format: PixelFormat) -> npt.NDArray[Any]:
    """Return model output ``[B, C, H, W]`` in [0, 1] as pixels of the format's dtype and range."""
    return pixel_format.from_unit(unit.float().cpu().numpy())


def stream(
    model: Autoencoder | Classifier, images: ImageSet, function: Any, batch_size: int = BATCH
) -> Iterator[npt.NDArray[Any]]:
    """Yield ``function(batch)``, a NumPy array or tensor ``[B, …]``, batch by batch; a bar for a terminal after 2 s."""
    bar = tqdm(
        batches(model, images, batch_size),
        total=-(-len(images) // batch_size),
        unit=" batches",
        delay=2.0,
        disable=None,
        leave=False,
    )
    was_training = model.training
    model.eval()
    try:
        with kept_memory():
            for batch in bar:
                with torch.inference_mode():
                    result = _array(function(batch))
                yield result
    finally:
        model.train(was_training)


def over(model: Autoencoder | Classifier, images: ImageSet, function: Any, batch_size: int = BATCH) -> npt.NDArray[Any]:
    """Return ``function(batch)``, a NumPy array or tensor ``[B, …]``, over all images, concatenated."""
    return np.concatenate(list(stream(model, images, function, batch_size)))


def _array(value: Any) -> npt.NDArray[Any]:
    return value.cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
