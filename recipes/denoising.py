"""The denoising autoencoder on half-masked MNIST (Vincent et al. 2008): PSNR of restored test images, and the identity score.

Settings: `dae` as it comes (half of the pixels set to zero, the network not told which; over-complete spatial code), trained on
the training split. Beside it: doing nothing, a median filter, biharmonic filling (Damelin & Hoang 2018, scikit-image), which
is told which pixels are lost, and the same network trained as `cae`, for the identity score.
Expected: recipes/results/denoising.json (dae 25.88 ± 0.01 dB, identity 0.00; cae identity 0.96), made by

    LATENTIA_DATA=... python recipes/denoising.py --presets dae --epochs 3
    LATENTIA_DATA=... python recipes/denoising.py --presets cae --epochs 1

PSNR is 10 log10(1 / MSE): of the mean error over all test images, and the mean of each image's own (which counts easy images
more).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rows import Rows, spread

from latentia import load, train
from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet
from latentia.parts import CORRUPTIONS
from latentia.presets import PRESETS
from latentia.tasks.apply import over
from latentia.tasks.identity import identity_score

NETWORK = {
    "encoder": PRESETS["dae"].encoder,
    "bottleneck": PRESETS["dae"].bottleneck,
    "optimizer": PRESETS["dae"].optimizer,
}
SLOW = 300  # images that the classical methods restore


def psnr(errors: npt.NDArray[np.floating[Any]]) -> dict[str, float]:
    """Return both means for the squared errors of images, ``[N]``."""
    each = -10 * np.log10(np.maximum(errors, 1e-12))
    return {"psnr": float(-10 * np.log10(errors.mean())), "psnr_of_each": float(each.mean())}


def masked(images: ImageSet) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return clean and half-masked pixels in [0, 1] and the mask of what was lost, ``[N, C, H, W]``."""
    clean = torch.from_numpy(images.format.to_unit(images.pixels))
    spoilt, lost = CORRUPTIONS.make("mask")(clean, Noise(0, torch.from_numpy(images.ids), "recipe"))
    return clean.numpy(), spoilt.numpy(), lost.numpy()


def errors_of(restored: npt.NDArray[Any], clean: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the per-pixel squared error of each image."""
    return np.square(restored - clean, dtype=np.float64).reshape(len(clean), -1).mean(1)


def classical(images: ImageSet) -> dict[str, dict[str, float]]:
    """Return what doing nothing, a median filter and biharmonic filling come to."""
    from scipy.ndimage import median_filter
    from skimage.restoration import inpaint_biharmonic

    clean, spoilt, lost = masked(images)
    some = slice(0, SLOW)
    filled = [inpaint_biharmonic(image[0], gone[0]) for image, gone in zip(spoilt[some], lost[some], strict=True)]
    ways = {
        "doing nothing": errors_of(spoilt, clean),
        "median 3x3": errors_of(median_filter(spoilt, (1, 1, 3, 3)), clean),
        f"biharmonic, told the mask ({SLOW} images)": errors_of(np.clip(np.array(filled)[:, None], 0, 1), clean[some]),
    }
    return {name: psnr(errors) for name, errors in ways.items()}


def measure(preset: str, seed: int, epochs: int, parts: dict[str, ImageSet], options: dict[str, Any]) -> dict[str, Any]:
    """Train once and judge on the test split."""
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
        minutes = (time.time() - started) / 60
        clean, spoilt, _ = masked(parts["test"])
        corrupted = parts["test"].with_pixels(parts["test"].format.from_unit(spoilt))
        restored = over(run.model, corrupted, lambda batch: run.model(batch.pixels))
        score = identity_score(run.model, parts["test"], seed=seed)
    code = "x".join(map(str, run.model.code_shape))
    found = {
        **psnr(errors_of(restored, clean)),
        "identity": score.score,
        "noise": score.noise,
        "foreign": score.foreign,
    }
    return {"preset": preset, "seed": seed, "epochs": epochs, "code": code, "minutes": minutes, **found}


def main(
    data: str,
    presets: list[str],
    seeds: list[int],
    epochs: int,
    images: int,
    output: Path | None,
    options: dict[str, Any],
) -> Rows:
    """Measure what is not yet measured, and print the table."""
    parts = {part: load(data, part) for part in ("train", "validation", "test")}
    parts["train"] = parts["train"].select(np.arange(min(images, len(parts["train"]))))
    rows = Rows(output, {"data": data, "images": len(parts["train"]), "options": options})
    for seed in seeds:
        for preset in presets:
            if not rows.has(preset=preset, seed=seed, epochs=epochs):
                network = NETWORK if preset == "cae" else {}
                rows.add(**measure(preset, seed, epochs, parts, {**network, **options}))
    print(f"\n{'half of the pixels off':40} PSNR of all   of each   identity score")
    for name, found in classical(parts["test"]).items():
        print(f"{name:40} {found['psnr']:.2f}         {found['psnr_of_each']:.2f}")
    for preset in dict.fromkeys(row["preset"] for row in rows.rows):
        cells = [spread(rows.values(field, preset=preset)) for field in ("psnr", "psnr_of_each", "identity")]
        print(f"{preset:40} {'   '.join(cells)}")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--presets", nargs="+", default=["dae", "cae"], choices=["dae", "cae"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--images", type=int, default=60_000, help="the most training images")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "denoising.json")
    given = vars(parser.parse_args())
    batch_size = given.pop("batch_size")
    main(**given, options={"batch_size": batch_size})
