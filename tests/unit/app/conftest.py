"""A small run to explore: a few epochs on digits, trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latentia import open_run, train
from latentia.runs import Run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explored")
    return train("digits", runs=folder, epochs=3, figures=False, quiet=True, widths="8x16", latent_dim=5).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """Return a run of one's own: a copy, with nothing explored yet."""
    return open_run(shutil.copytree(trained, tmp_path / "0001-digits-cae"))
