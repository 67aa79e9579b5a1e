from __future__ import annotations

import pytest
from small_studies import SMALL, some_images

from latentia.studies.crossvalidation import crossvalidate
from latentia.studies.result import CrossValidation


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    return crossvalidate(some_images(), "dae", folds=3, runs=tmp_path_factory.mktemp("runs"), **SMALL)
