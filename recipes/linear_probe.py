"""What a linear classifier reads from frozen features, MNIST, all labels: codes of autoencoders beside raw pixels and PCA.

Settings: each autoencoder is trained by `latentia train` in a process of its own, without labels, on the training split; the
seconds are from that process's start to its end. Its codes (the posterior mean or the code itself, `latentia embed`) stay as
they are. Logistic regression is fitted on the training split's standardised codes (Alain & Bengio 2016); of three strengths of
its penalty the best on the validation split is kept; the test split is read once. PCA has the dimension of the codes.

Asked: 98 % from at most 256 numbers, 60 seconds after the process starts, on two idle cores; goal 98.5 % in 30 seconds.
Expected: recipes/results/linear_probe.json.

    LATENTIA_DATA=... python recipes/linear_probe.py                     three seeds; stopped, it goes on
    python recipes/linear_probe.py digits --rows warp-cae denoising-cae --images 1200
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rows import Rows, spread

from latentia import load, open_run
from latentia.data.imageset import ImageSet
from latentia.data.load import training_parts

DIMENSIONS = 256
QUICK = ["--epochs", "2", "--batch-size", "256", "--learning-rate", "0.004", "--latent-dim", str(DIMENSIONS)]
TRAINED = {
    "warp-cae": ["--preset", "warp-cae", *QUICK],
    "denoising-cae": ["--preset", "denoising-cae", "--optimizer", "muon", *QUICK],
    "cae": ["--preset", "cae", "--optimizer", "muon", *QUICK],
    "dae": ["--preset", "dae", "--epochs", "1"],
}
SIMPLE = ("pixels", "pca-256")
STRENGTHS = (0.003, 0.03, 0.3)  # of the inverse penalty, C

Parts = dict[str, ImageSet]
Codes = dict[str, npt.NDArray[np.float32]]


def trained(data: str, words: list[str], seed: int, parts: Parts) -> tuple[Codes, float]:
    """Return the codes of each part's images by a model trained in a process of its own, and that process's seconds."""
    with tempfile.TemporaryDirectory() as runs:
        command = [
            sys.executable,
            "-m",
            "latentia",
            "train",
            data,
            *words,
            "--seed",
            str(seed),
            "--no-figures",
            "--quiet",
        ]
        started = time.monotonic()
        subprocess.run([*command, "--runs", runs], check=True)
        seconds = time.monotonic() - started
        run = open_run(next(Path(runs).glob("*/run.json")).parent)
        return {name: run.embed(images) for name, images in parts.items()}, seconds


def simple(name: str, parts: Parts) -> Codes:
    """Return each part's pixels as rows, or their first principal components (Hotelling 1933)."""
    from sklearn.decomposition import PCA

    rows = {part: np.asarray(images.pixels, np.float32).reshape(len(images), -1) for part, images in parts.items()}
    if name == "pixels":
        return rows
    components = PCA(min(DIMENSIONS, *rows["train"].shape), random_state=0).fit(rows["train"])
    return {part: components.transform(each).astype(np.float32) for part, each in rows.items()}


def probe(codes: Codes, parts: Parts) -> tuple[float, float]:
    """Return the chosen strength and the test accuracy of logistic regression on ``codes``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    best: tuple[float, float, Any] = (-1.0, 0.0, None)
    for strength in STRENGTHS:
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged: the validation split judges it as it is
            fitted.fit(codes["train"], parts["train"].labels)
        right = fitted.score(codes["validation"], parts["validation"].labels)
        best = max(best, (right, strength, fitted), key=lambda found: found[0])
    return best[1], float(best[2].score(codes["test"], parts["test"].labels))


def main(data: str, names: list[str], seeds: list[int], images: int, output: Path | None) -> Rows:
    """Measure what is not yet measured, and print the table."""
    train, validation = training_parts(data)
    assert validation is not None
    train = train.select(np.arange(min(images, len(train))))
    parts = {"train": train, "validation": validation, "test": load(data, split="test")}
    rows = Rows(output, {"data": data, "labelled images": len(train)})
    for name in names:
        for seed in seeds if name in TRAINED else seeds[:1]:
            if rows.has(row=name, seed=seed):
                continue
            if name in TRAINED:
                codes, seconds = trained(data, TRAINED[name], seed, parts)
            else:
                codes, seconds = simple(name, parts), 0.0
            strength, accuracy = probe(codes, parts)
            load_now = os.getloadavg()[0]
            rows.add(
                row=name, seed=seed, numbers=codes["train"].shape[1], strength=strength, accuracy=accuracy,
                seconds=seconds, load=load_now,
            )  # fmt: skip
    print("\n| features | numbers | test accuracy, % | seconds to the trained model |\n|---|---|---|---|")
    for name in names:
        found = [100 * value for value in rows.values("accuracy", row=name)]
        seconds = spread(rows.values("seconds", row=name), 0) if name in TRAINED else ""
        print(f"| {name} | {rows.values('numbers', row=name)[0]:.0f} | {spread(found)} | {seconds} |")
    return rows


if __name__ == "__main__":
    here = Path(__file__).parent / "results"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    every = [*SIMPLE, *TRAINED]
    parser.add_argument("--rows", dest="names", nargs="+", default=every, choices=every)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=60_000, help="the most labelled images")
    parser.add_argument("-o", "--output", type=Path, default=here / "linear_probe.json")
    main(**vars(parser.parse_args()))
