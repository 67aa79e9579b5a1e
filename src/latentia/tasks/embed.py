"""Embedding: the deterministic code of every image (the posterior mean where there is a posterior)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import over


def embed(model: Autoencoder, images: ImageSet, *, pool: bool = False) -> npt.NDArray[np.float32]:
    """Return the codes, float32 ``[N, D]``; a spatial code is flattened, or averaged over positions with ``pool``.

    Raises:
        UserError: model and images do not fit each other.
    """

    def step(batch: Any) -> Any:
        return model.encode(batch.pixels).vector(pool).float()

    return over(model, images, step)
