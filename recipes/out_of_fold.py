"""Does the out-of-fold error foretell the error on images that nothing has seen? (Nadeau & Bengio 2003 for the interval)

Settings: a fifth of the training pool is set aside at random; the rest is cross-validated (5 folds) as `cae`, `dae` and `vae`
with a code of 16 values, and each preset is judged on the images set aside: by the mean of the folds' models, which are
trained on as many images as the out-of-fold error is about, and by the final model, which is trained on more (a quarter
of the images, and the tenth that chose the epoch) and so is somewhat better. Expected: the folds' models' error lies in the
corrected 95 % interval for all presets; the final model's lies in it or below.

    python recipes/out_of_fold.py                                    digits, some minutes
    python recipes/out_of_fold.py mnist --images 10000 --epochs 5
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from latentia import crossvalidate, load, open_run
from latentia.data.imageset import ImageSet
from latentia.tasks.reconstruct import reconstruct

PRESETS = {"cae": {}, "dae": {"bottleneck": "deterministic", "latent_dim": 16}, "vae": {"latent_dim": 16}}
APART = 0.2


@dataclasses.dataclass(frozen=True)
class Agreement:
    """One preset: per-pixel MSE from clean inputs."""

    preset: str
    out_of_fold: float
    low: float
    high: float
    set_aside: float
    final: float

    @property
    def holds(self) -> bool:
        """Whether the folds' models err on the images set aside as their interval says."""
        return self.low <= self.set_aside <= self.high

    @property
    def final_holds(self) -> bool:
        """Whether the final model's error lies in the interval, too."""
        return self.low <= self.final <= self.high

    def __str__(self) -> str:
        def said(value: float, holds: bool) -> str:
            return f"{value:.5f} ({'inside' if holds else 'below' if value < self.low else 'above'})"

        return (
            f"{self.preset:<5} out of fold {self.out_of_fold:.5f}, interval {self.low:.5f} to {self.high:.5f}; set aside: "
            f"folds' models {said(self.set_aside, self.holds)}, final model {said(self.final, self.final_holds)}"
        )


def main(data: str, images: int, epochs: int, folds: int, repeats: int, jobs: int, seed: int) -> list[Agreement]:
    """Cross-validate, judge on what was set aside, print; return one agreement for each preset."""
    pool = load(data, "train")
    order = np.random.default_rng(seed).permutation(len(pool))[: min(images, len(pool))]
    cut = round(len(order) * APART)
    aside, rest = pool.select(np.sort(order[:cut])), pool.select(np.sort(order[cut:]))
    print(f"{data}: {len(rest):,} images in {folds} folds, {len(aside):,} set aside", flush=True)
    found = []
    with tempfile.TemporaryDirectory() as runs:
        for preset, options in PRESETS.items():
            result = crossvalidate(
                rest,
                preset,
                folds=folds,
                repeats=repeats,
                jobs=jobs,
                epochs=epochs,
                split_seed=seed,
                seed=seed,
                runs=runs,
                quiet=True,
                options=options,
            )
            figure = result.metrics["reconstruction_mse"]
            models = [error_of(fold.path, aside) for fold in result.folds]
            assert result.final is not None
            final = error_of(result.final, aside)
            found.append(Agreement(preset, figure.mean, figure.low, figure.high, float(np.mean(models)), final))
            print(found[-1], flush=True)
    inside, finals = sum(each.holds for each in found), sum(each.final_holds for each in found)
    print(f"inside the interval: folds' models {inside} of {len(found)}, final models {finals} of {len(found)}")
    return found


def error_of(run: Path, images: ImageSet) -> float:
    """Return a run's mean per-pixel MSE on ``images``."""
    return float(reconstruct(open_run(run).model, images).errors.mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--images", type=int, default=60_000, help="the most images of the pool")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
