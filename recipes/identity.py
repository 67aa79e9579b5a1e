"""An over-complete autoencoder learns the identity, a denoising one does not (Vincent et al. 2008, section 1).

Settings: one encoder (a single halving to 32 maps) and one spatial code with far more numbers than the image has, trained
as `cae` (clean in, clean out) and as `dae` (half of the pixels off, clean out), over three seeds.
Expected on digits (test split, 100 epochs, seeds 0 to 2): identity score 0.88 +- 0.01 of the cae ("copies"), 0.33 +- 0.02 of
the dae. The formula is in latentia.tasks.identity; one picture is drawn.

    python recipes/identity.py                      digits, a minute
    python recipes/identity.py mnist --images 10000 --epochs 10
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from latentia import load, train
from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet, from_array
from latentia.report.identity_picture import identity_picture
from latentia.report.style import save
from latentia.runs import Run
from latentia.tasks.identity import IdentityScore, identity_score, probes

NETWORK = {
    "encoder": "residual:widths=32,blocks=1",
    "bottleneck": "deterministic:spatial=true,latent_dim=32",
    "optimizer": "muon",
}


def main(data: str, epochs: int, seeds: int, images: int, output: Path) -> dict[str, list[IdentityScore]]:
    """Train, print the scores and draw the picture; return the scores of each preset, one for each seed."""
    train_images, test = load(data, "train"), load(data, "test")
    train_images = train_images.select(np.arange(min(images, len(train_images))))
    scores: dict[str, list[IdentityScore]] = {"cae": [], "dae": []}
    first: dict[str, Run] = {}
    with tempfile.TemporaryDirectory() as runs:
        for seed in range(seeds):
            for preset, found in scores.items():
                run = train(
                    train_images, preset, runs=runs, epochs=epochs, seed=seed, figures=False, quiet=True, **NETWORK
                )
                found.append(identity_score(run.model, test, seed=seed))
                first.setdefault(preset, run)
                print(
                    f"{preset}, seed {seed}, code {'x'.join(map(str, run.model.code_shape))}: {found[-1]}", flush=True
                )
        for preset, found in scores.items():
            values = np.array([each.score for each in found])
            print(f"{preset}: identity score {values.mean():.3f} +- {values.std(ddof=min(1, len(values) - 1)):.3f}")
        draw(first, test, {preset: np.mean([each.score for each in found]) for preset, found in scores.items()}, output)
    print(output)
    return scores


def draw(runs: dict[str, Run], test: ImageSet, scores: dict[str, float], output: Path) -> None:
    """Draw images, spoilt images and shuffled ones, with what each network makes of them."""
    some = test.select(np.arange(4))
    pixels = torch.from_numpy(some.format.to_unit(some.pixels))
    made = probes(pixels, Noise(0, torch.from_numpy(some.ids), "identity"))
    inputs = {"an image": pixels, "half replaced by noise": made["noise"][1], "shuffled": made["foreign"][0]}
    shown = {name: from_array(some.format.from_unit(values.numpy())) for name, values in inputs.items()}
    answers = {
        preset: {name: run.reconstruct(images).pixels for name, images in shown.items()} for preset, run in runs.items()
    }
    subtitle = ", ".join(f"{preset}: identity score {value:.2f}" for preset, value in scores.items())
    save(identity_picture(shown, answers, f"{subtitle} (1: copies all)"), output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=60_000, help="the most training images")
    parser.add_argument("-o", "--output", type=Path, default=Path("identity.png"))
    main(**vars(parser.parse_args()))
