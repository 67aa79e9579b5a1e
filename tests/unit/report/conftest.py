from __future__ import annotations

from pathlib import Path

import pytest

from latentia import Run, train

QUICK = {"encoder__widths": "4,8", "latent_dim": 3, "batch_size": 64, "epochs": 2, "quiet": True, "figures": False}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Return small runs on digits by preset, without pictures."""
    runs = tmp_path_factory.mktemp("runs")
    found = {preset: train("digits", preset, runs=runs, **QUICK) for preset in ("cae", "vae")}
    found["dae"] = train("digits", "denoising-cae", runs=runs, **QUICK)
    return found


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Return a folder of images whose names and classes would be HTML if they were not escaped."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for name in HOSTILE:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number} '\"<img src=x onerror=hacked=1>&é.png")
    return tmp_path / "photos"


HOSTILE = ("<script>hacked=1<", "\"><svg onload='hacked=1'>", "Zoë ∑ ${x} {{ 7*7 }}")
