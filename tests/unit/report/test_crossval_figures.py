from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentia.report.crossval_figures import draw_crossvalidation, fold_figures, loss_bands, worst
from latentia.studies.crossvalidation import crossvalidate


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pictures_of_a_crossvalidation(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, channels, 8, 12), dtype=np.uint8)
    result = crossvalidate(
        pixels,
        labels=np.arange(24) % 2,
        folds=3,
        runs=tmp_path,
        final=False,
        quiet=True,
        epochs=4,
        patience=1,  # so that folds may end at different epochs
        learning_rate=0.05,
        encoder__widths="4,8",
    )
    panels = loss_bands(result).axes
    assert [axes.get_xlabel() for axes in panels] == ["epoch", "epoch"]
    bands = list(panels[0].collections)
    assert len(bands) == 2
    assert len([axes for axes in worst(result, 5).axes if axes.get_visible()]) == 10
    assert f"{result.errors.max():.4f}" in worst(result, 5).axes[5].get_xlabel()
    dots = fold_figures(result).axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(np.asarray(dots)[:, 0], result.metrics["reconstruction_mse"].values)
    for path in draw_crossvalidation(result):
        with Image.open(path) as picture:
            assert picture.width > 600
