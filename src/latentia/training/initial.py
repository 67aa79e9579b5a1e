"""The model that training begins with: weights from the seed, outputs at the training images' mean.

A decoder whose outputs begin at one half is pushed, in the first steps, with all its weights in one direction: where
images are mostly dark it can land in the flat end of the sigmoid and stay there (MNIST, an over-complete ``dae``: every
output zero, for good). Begun at the mean, the first steps learn what differs between images. See decision 5.
"""

from __future__ import annotations

import numpy as np
import torch

from latentia.data.imageset import ImageSet
from latentia.data.stream import ImageStream
from latentia.model import Architecture, Autoencoder

MOST = 10_000  # images, evenly spaced, whose mean is taken


def initial_model(architecture: Architecture, images: ImageSet, seed: int) -> Autoencoder:
    """Return the module for ``images``, a function of ``seed`` and the images alone.

    Raises:
        UserError: parts that do not fit together.
    """
    model = architecture.build(images.format, seed=seed)
    if isinstance(images, ImageStream):
        pixels = images.pixels[images.spread(MOST)]
    else:
        chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(np.int64))
        pixels = images.pixels[chosen] if len(chosen) < len(images) else images.pixels
    stored = np.asarray(pixels).mean(axis=(0, 2, 3), dtype=np.float64)
    unit = (stored - images.format.low) / (images.format.high - images.format.low)
    model.start_at(torch.from_numpy(unit).float().clamp(0.0, 1.0))
    return model
