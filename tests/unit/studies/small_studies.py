"""What the tests of studies share: a tiny network, two epochs, thirty images."""

from __future__ import annotations

from typing import Any

import numpy as np

SMALL: dict[str, Any] = {"encoder__widths": "4,8", "latent_dim": 3, "epochs": 2, "batch_size": 8, "quiet": True}


def some_images(count: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
