"""What a model has learned from, kept beside it: an image is known again by its pixels, under whatever name or place it comes.

``learned.safetensors`` in a run's folder holds a hash of each image, no image. It stays behind when a run is pushed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.stream import ImageStream
from latentia.training.storage import load_tensors, save_tensors

FILE = "learned.safetensors"


def keep_learned(folder: Path, *parts: ImageSet | None) -> None:
    """Keep the hashes of all images of ``parts``; of a stream, whose pixels are read in turn, none are made.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    given = [part for part in parts if part is not None]
    if any(isinstance(part, ImageStream) for part in given):
        return
    found = np.unique(np.concatenate([part.digests for part in given]))
    save_tensors(folder / FILE, {"digests": torch.from_numpy(found)})


def has_learned(folder: Path, images: ImageSet) -> npt.NDArray[np.bool_] | None:
    """Return which of ``images`` a run has learned from, bool ``[N]``; ``None`` where that was not kept."""
    try:
        kept = load_tensors(folder / FILE)[0]["digests"].numpy()
    except (UserError, KeyError):  # a run of an earlier version, one that was pulled, or a damaged file
        return None
    return np.isin(images.digests, kept)
