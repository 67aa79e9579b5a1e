"""Makes the golden model: run once per format of model files, never to mend a test. ``python tests/golden/make.py DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from latentia import train
from latentia.core.noise import Noise
from latentia.training.storage import save_model


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    options = {"encoder.widths": "4,8", "bottleneck.hidden": 16, "decoder.hidden": 16, "latent_dim": 3}
    for preset in ("cae", "vae"):
        run = train("digits", preset, epochs=3, runs="/tmp/golden", figures=False, quiet=True, options=options)
        place = folder / f"format-1-{preset}"
        place.mkdir(parents=True, exist_ok=True)
        save_model(place, run.model)
        pixels = Noise(0, torch.arange(4), "golden").uniform(1, 8, 8)
        with torch.inference_mode():
            np.savez(place / "expected.npz", pixels=pixels, output=run.model(pixels), code=run.model.encode(pixels).z)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
