from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latentia.studies.crossvalidation import crossvalidate
from latentia.studies.result import CrossValidation

SMALL: dict[str, Any] = {"encoder__widths": "4,8", "latent_dim": 3, "epochs": 2, "batch_size": 8, "quiet": True}


def some_images(count: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    return crossvalidate(some_images(), "dae", folds=3, runs=tmp_path_factory.mktemp("runs"), **SMALL)
