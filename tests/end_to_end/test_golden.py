"""Models saved by earlier versions load in this one and agree with what they gave then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from latentia.training.storage import load_model

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("format-*"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_an_old_model_loads_and_agrees(folder: Path) -> None:
    model = load_model(folder)
    with np.load(folder / "expected.npz") as expected, torch.inference_mode():
        pixels = torch.from_numpy(expected["pixels"])
        # other processors order their sums differently: agreement is to rounding
        np.testing.assert_allclose(model(pixels).numpy(), expected["output"], atol=2e-6)
        np.testing.assert_allclose(model.encode(pixels).z.numpy(), expected["code"], rtol=1e-4, atol=1e-5)


def test_there_is_a_golden_model() -> None:
    assert len(GOLDEN) >= 2
