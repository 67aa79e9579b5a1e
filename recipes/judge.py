"""What new images of a `vae` are worth: Fréchet distance, precision, recall and copies, by features of our own classifier.

Settings: the extractor is a classifier fine-tuned with all labels of the training split from a `cae`; a `vae` is trained on the
same images without labels. Its new images are compared with test images, beside as many training images: the floor that no
generator should be expected to beat (Heusel et al. 2017; Kynkäänniemi et al. 2019; Meehan et al. 2020 for copies). Distances
compare with others by the same extractor and count alone.

Expected: recipes/results/judge.json and, by the second command, judge_digits.json. New images lie above the floor,
below a `vae` of one epoch, and are no copies.

    LATENTIA_DATA=... python recipes/judge.py mnist --images 10000          half an hour on one core; stops and goes on
    python recipes/judge.py digits --epochs 60 --count 170 --seeds 0 1 2 -o recipes/results/judge_digits.json
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows, spread

from latentia import finetune, load, train
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.judge import judge as judge_images

FIELDS = ("frechet", "precision", "recall")


def extractor(images: ImageSet, epochs: int, runs: str) -> Run:
    """Return a classifier trained on all labels of ``images``."""
    start = train(images, "cae", runs=runs, epochs=epochs, figures=False, quiet=True)
    return finetune(start, images, runs=runs, epochs=epochs, figures=False, quiet=True)


def measure(
    parts: dict[str, ImageSet], classifier: Run, preset: str, epochs: int, count: int, seed: int
) -> dict[str, Any]:
    """Train a generator and judge ``count`` new images beside as many test and training images."""
    with tempfile.TemporaryDirectory() as runs:
        run = train(parts["train"], preset, runs=runs, epochs=epochs, seed=seed, figures=False, quiet=True)
        found = judge_images(
            run.generate(max(count, 1000), seed=seed),
            parts["test"],
            parts["train"],
            classifier.classifier,
            extractor="a classifier of all labels",
            most=count,
            seed=seed,
        )
    new, floor = found.rows
    figures = {field: getattr(new, field) for field in FIELDS}
    return {**figures, **{f"floor_{field}": getattr(floor, field) for field in FIELDS}, "close": found.close}


def main(data: str, seeds: list[int], epochs: int, images: int, count: int, output: Path | None) -> Rows:
    """Measure what is not yet measured, and print the table."""
    parts = {name: load(data, name) for name in ("train", "test")}
    parts["train"] = parts["train"].select(np.arange(min(images, len(parts["train"]))))
    rows = Rows(output, {"data": data, "images": len(parts["train"]), "epochs": epochs, "count": count})
    ways = {"vae": epochs, "vae, one epoch": 1}
    waiting = [(name, seed) for seed in seeds for name in ways if not rows.has(row=name, seed=seed)]
    if waiting:
        with tempfile.TemporaryDirectory() as runs:
            classifier = extractor(parts["train"], epochs, runs)
            for name, seed in waiting:
                rows.add(row=name, seed=seed, **measure(parts, classifier, "vae", ways[name], count, seed))
    print(f"| | {' | '.join(FIELDS)} | closer to a training image than 99 % of test images |\n|---|{'---|' * 4}")
    for name in ways:
        values = [spread(rows.values(field, row=name), 3) for field in (*FIELDS, "close")]
        print(f"| {name} | {' | '.join(values)} |")
    floor = [spread(rows.values(f"floor_{field}", row="vae"), 3) for field in FIELDS]
    print(f"| training images: the floor | {' | '.join(floor)} | |")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=60_000, help="the most training images")
    parser.add_argument("--count", type=int, default=5000, help="new images, test images and training images compared")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "judge.json")
    main(**vars(parser.parse_args()))
