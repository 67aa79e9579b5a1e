"""Adapting without labels: what `train --from` gains over starting anew when the images have changed (Yosinski et al. 2014).

Settings: a `cae` (code of 16 numbers) is trained on MNIST's training split; then few images that look different, inverted
or noisy (Gaussian, sigma 0.25, drawn once for each image), are learned for a few epochs, once from its weights and once
from new ones, with the same images, settings, seed and number of steps. Judged on the shifted test split, by the per-pixel
squared error of reconstructions. Also shown: the source as it is, which has never seen such images. Each seed trains its
own source; differences are paired by seed. On digits (60 source epochs, seeds 0 to 2, squared error times 1,000, gain with
its 95 % interval): noisy, 500 images: 68 (64 to 73) after 2 epochs, 8.7 (4.9 to 12.4) after 50. Inverted, 500 images: -4
(-32 to 24) after 2 epochs, 18 (9 to 27) after 50; with 50 images and 2 epochs starting anew was better, by 66 (2 to 131),
probably since a new decoder begins at the images' mean.

    python recipes/adapting.py                                      MNIST, three seeds
    python recipes/adapting.py digits --source-epochs 100 --images 50 500 --epochs 2 10 50
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import Rows, interval, spread

from latentia import load, train
from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet
from latentia.parts import CORRUPTIONS
from latentia.runs import Run


def inverted(images: ImageSet) -> ImageSet:
    """Return the images with black and white exchanged."""
    own = images.format
    return images.with_pixels(own.from_unit(1.0 - own.to_unit(images.pixels)))


def noisy(images: ImageSet) -> ImageSet:
    """Return the images with noise that is always the same for the same image."""
    own = images.format
    clean = torch.from_numpy(own.to_unit(images.pixels))
    spoilt, _ = CORRUPTIONS.make("gaussian", sigma=0.25)(clean, Noise(0, torch.from_numpy(images.ids), "recipe"))  # type: ignore[operator]
    return images.with_pixels(own.from_unit(spoilt.numpy()))


SHIFTS: dict[str, Callable[[ImageSet], ImageSet]] = {"inverted": inverted, "noisy": noisy}


def error_of(run: Run, images: ImageSet) -> float:
    """Return the mean per-pixel squared error of the reconstructions."""
    return float(run.reconstruction(images).errors.mean())


class Sources:
    """The source of each seed, trained when it is first asked for."""

    def __init__(self, parts: dict[str, ImageSet], epochs: int, runs: str, options: dict[str, Any]) -> None:
        self.parts, self.epochs, self.runs, self.options = parts, epochs, runs, options
        self.made: dict[int, Run] = {}

    def __getitem__(self, seed: int) -> Run:
        """Return the run trained on clean images with ``seed``."""
        if seed not in self.made:
            self.made[seed] = train(
                self.parts["train"],
                "cae",
                validation=self.parts["validation"],
                epochs=self.epochs,
                seed=seed,
                runs=self.runs,
                figures=False,
                quiet=True,
                options=self.options,
            )
        return self.made[seed]


def main(
    data: str,
    shifts: list[str],
    seeds: list[int],
    source_epochs: int,
    images: list[int],
    epochs: list[int],
    output: Path | None,
    options: dict[str, Any] | None = None,
) -> Rows:
    """Measure what is not yet measured, and print the table."""
    options = {"latent_dim": 16, **(options or {})}
    parts = {part: load(data, part) for part in ("train", "validation", "test")}
    rows = Rows(output, {"data": data, "source_epochs": source_epochs, "options": options})
    with tempfile.TemporaryDirectory() as runs:
        sources = Sources(parts, source_epochs, runs, options)
        for seed in seeds:
            for shift in shifts:
                test = SHIFTS[shift](parts["test"])
                if not rows.has(shift=shift, start="source as it is", seed=seed):
                    rows.add(shift=shift, start="source as it is", seed=seed, mse=error_of(sources[seed], test))
                for count in images:
                    # other images of the source's kind are no shift: the same split is changed, and a few of it are drawn
                    chosen = np.random.default_rng(seed).permutation(len(parts["train"]))[:count]
                    few = SHIFTS[shift](parts["train"].select(np.sort(chosen)))
                    for budget in epochs:
                        for start in ("from source", "anew"):
                            key = {"shift": shift, "images": count, "epochs": budget, "start": start, "seed": seed}
                            if rows.has(**key):
                                continue
                            run = train(
                                few,
                                "cae",
                                validation=few,  # so that none of the few are set aside; it chooses nothing of either
                                init_from=sources[seed] if start == "from source" else None,
                                epochs=budget,
                                seed=seed,
                                runs=runs,
                                figures=False,
                                quiet=True,
                                options=options,
                            )
                            rows.add(**key, mse=error_of(run, test))
    show(rows, shifts, images, epochs)
    return rows


def show(rows: Rows, shifts: list[str], images: list[int], epochs: list[int]) -> None:
    """Print error from the source's weights and anew, and the paired difference, for each budget."""
    print(f"\n{'':<10}{'images':>8}{'epochs':>8}   {'from the source':<28}{'anew':<28}gain, 95 % interval over seeds")
    for shift in shifts:
        as_it_is = [1000 * value for value in rows.values("mse", shift=shift, start="source as it is")]
        print(f"{shift:<10}{'':>16}   source as it is: {spread(as_it_is)}; all are squared errors times 1,000")
        for count in images:
            for budget in epochs:
                key = {"shift": shift, "images": count, "epochs": budget}
                found, anew = (rows.values("mse", start=start, **key) for start in ("from source", "anew"))
                gains = [1000 * (new - old) for old, new in zip(found, anew, strict=True)]
                low, high = interval(gains)
                told = f"{np.mean(gains):+.2f} ({low:+.2f} to {high:+.2f})" + (
                    "" if low > 0 or high < 0 else ", not told from nothing"
                )
                cells = [spread([1000 * value for value in values]) for values in (found, anew)]
                print(f"{'':<10}{count:>8,}{budget:>8}   {cells[0]:<28}{cells[1]:<28}{told}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--shifts", nargs="+", default=list(SHIFTS), choices=list(SHIFTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--source-epochs", type=int, default=10)
    parser.add_argument("--images", type=int, nargs="+", default=[300, 3000], help="how many shifted images there are")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 5, 20], help="how often each is seen")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0: PyTorch's choice")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "adapting.json")
    given = vars(parser.parse_args())
    if threads := given.pop("threads"):
        torch.set_num_threads(threads)
    main(**given)
