"""Density of dynamically binarised MNIST, in nats (Burda et al. 2016, table 1): VAE, IWAE-5, IWAE-50, and convolutional VAEs.

Burda's network is dense (784-200-200-50, one stochastic layer) and was trained for 3,280 epochs of batches of 20; it reached
86.76 (VAE), 85.54 (IWAE-5) and 84.78 (IWAE-50) nats. Here the same network gets a small part of that, the same for all
three, so the order and its interval are what is compared. The convolutional rows use the whole training split; their
published relatives: ConvVAE + RealNVP prior 78.61, NVAE 78.01.

Expected: recipes/results/density.json, made by

    LATENTIA_DATA=... python recipes/density.py                                  dense rows, three seeds
    LATENTIA_DATA=... python recipes/density.py --rows conv-vamp --epochs 60 -o recipes/results/density_conv.json

-log p(x) of the test split is estimated with K codes an image: all images with K = 100, and the first 1,000 also with K =
5000, whose mean gain is added (a control variate; its error is part of the standard error that is printed).
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows, interval, spread

from latentia import load, train
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.density import log_likelihood

DENSE = {"encoder": "dense:widths=200x200", "latent_dim": 50, "hidden": 0, "likelihood.binarise": "dynamic"}
CONV = {"latent_dim": 40, "likelihood.binarise": "dynamic", "ema": 0.999}
# name: preset, options, the share of the asked epochs it gets, published figure
ROWS: dict[str, tuple[str, dict[str, Any], float | None]] = {
    "vae": ("vae", DENSE, 86.76),
    "iwae-5": ("iwae:samples=5", DENSE, 85.54),
    "iwae-50": ("iwae:samples=50", DENSE, 84.78),
    "conv-vae": ("vae", CONV, None),
    "conv-vamp": ("vamp-vae", {**CONV, "batch_size": 256, "learning_rate": 4e-3}, None),
    "conv-flow": ("flow-vae", {**CONV, "encoder": "residual"}, 78.61),
}


def estimate(
    model: Autoencoder, images: ImageSet, many: int = 5000, few: int = 100, some: int = 1000
) -> dict[str, Any]:
    """Return -log p(x) in nats: all images with ``few`` codes, corrected by what ``many`` add on the first ``some``."""
    coarse = log_likelihood(model, images, samples=few)
    some = min(some, len(images))
    fine = log_likelihood(model, images.select(np.arange(some)), samples=many)
    gain = fine.log_likelihood - coarse.log_likelihood[:some]
    errors = coarse.log_likelihood.std(ddof=1) ** 2 / len(images) + gain.std(ddof=1) ** 2 / some
    return {
        "nll": -float(coarse.log_likelihood.mean() + gain.mean()),
        "standard_error": math.sqrt(errors),
        "elbo": float(coarse.elbo.mean()),
        "rate": float(coarse.rate.mean()),
        "distortion": float(coarse.distortion.mean()),
        "curve_on_some": [list(point) for point in fine.curve],
        "active_units": coarse.active_units,
        "units": len(coarse.unit_variance),
    }


def measure(name: str, seed: int, epochs: int, parts: dict[str, ImageSet], many: int) -> dict[str, Any]:
    """Train one row and judge it on the test split."""
    preset, options, _ = ROWS[name]
    with tempfile.TemporaryDirectory() as runs:
        started = time.time()
        run = train(
            parts["train"],
            preset,
            validation=parts["validation"],
            runs=runs,
            epochs=epochs,
            seed=seed,
            figures=False,
            quiet=True,
            options=options,
        )
        seconds = time.time() - started
        return {"row": name, "seed": seed, "minutes": seconds / 60, **estimate(run.model, parts["test"], many)}


def main(
    data: str, names: list[str], seeds: list[int], epochs: int, images: int, many: int, output: Path | None
) -> Rows:
    """Measure what is not yet measured, and print the table."""
    parts = {part: load(data, part) for part in ("train", "validation", "test")}
    parts["train"] = parts["train"].select(np.arange(min(images, len(parts["train"]))))
    rows = Rows(output, {"data": data, "images": len(parts["train"]), "samples": many})
    for seed in seeds:
        for name in names:
            if not rows.has(row=name, seed=seed, epochs=epochs):
                rows.add(epochs=epochs, **measure(name, seed, epochs, parts, many))
    for name in ROWS:
        found = rows.values("nll", row=name)
        if found:
            published = ROWS[name][2]
            active = statistics.mean(rows.values("active_units", row=name))
            minutes = statistics.median(rows.values("minutes", row=name))
            print(
                f"{name:10} {spread(found)} nats, {active:.0f} active units, {minutes:.0f} min; published {published}"
            )
    for first, second in (("vae", "iwae-5"), ("iwae-5", "iwae-50")):
        pairs = zip(rows.values("nll", row=first), rows.values("nll", row=second), strict=False)
        differences = [one - other for one, other in pairs]
        if len(differences) > 1:
            low, high = interval(differences)
            print(
                f"{first} - {second}: {statistics.mean(differences):.2f} nats, 95 % interval {low:.2f} to {high:.2f} over seeds"
            )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--rows", dest="names", nargs="+", default=["vae", "iwae-5", "iwae-50"], choices=list(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=60_000, help="the most training images")
    parser.add_argument("--samples", dest="many", type=int, default=5000)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "density.json")
    main(**vars(parser.parse_args()))
