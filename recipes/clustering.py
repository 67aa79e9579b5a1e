"""Clusters of MNIST without a label: `train`, then `cluster`, the number of clusters included.

Two models: the default's `cae` with a code of 10 numbers, and `warp-cae`, whose code is made for this (64 numbers). The codes'
neighbour graph is cut into its parts of greatest modularity (see latentia.tasks.communities). Labels are read after everything
is done. Beside it, on the same training images: k-means on raw pixels and on PCA, told the number of clusters found.
`--others` adds k-means and the mixture on the same codes, and the mixture on UMAP's coordinates where umap-learn is installed.

Expected: recipes/results/clustering.json.

    python recipes/clustering.py                         MNIST's training images, 3 seeds, 10 epochs; stopped, it goes on
    python recipes/clustering.py digits --epochs 100
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows

from latentia import load, train
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.cluster_scores import Agreement, agreement

OPTIONS: dict[str, dict[str, Any]] = {"cae": {"latent_dim": 10}, "warp-cae": {}}
DEFAULT = "communities (default)"


def main(
    data: str,
    split: str,
    presets: list[str],
    epochs: int,
    seeds: list[int],
    images: int,
    others: bool,
    output: Path | None,
) -> Rows:
    """Measure what is not yet measured; print mean and worst of each way over the seeds."""
    pool = load(data, split)
    pool = pool.select(np.arange(min(images, len(pool))))
    rows = Rows(output, {"data": data, "split": split, "images": len(pool), "epochs": epochs})
    for preset in presets:
        for seed in seeds:
            if not rows.has(preset=preset, seed=seed):
                measure(rows, pool, preset, epochs, seed, others)
    print(f"{'':<34}{'mean':>8}{'worst':>8}{'seeds':>7}   accuracy, {len(pool):,} images of {data}")
    for preset in presets:
        for way in dict.fromkeys(row["way"] for row in rows.rows if row["preset"] == preset):
            values = rows.values("accuracy", preset=preset, way=way)
            print(f"{preset + ', ' + way:<34}{np.mean(values):>8.4f}{min(values):>8.4f}{len(values):>7}")
    return rows


def measure(rows: Rows, pool: ImageSet, preset: str, epochs: int, seed: int, others: bool) -> None:
    """Train one model and add a row for each way to cluster its images."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        settings = {"epochs": epochs, "seed": seed, "figures": False, "quiet": True}
        run = train(pool, preset, runs=runs, **OPTIONS.get(preset, {}), **settings)
        trained = time.perf_counter()
        clusters = run.cluster(pool, seed=seed, repeats=0)
        times = {"train_s": trained - started, "cluster_s": time.perf_counter() - trained}
        print(clusters, flush=True)
        found = list(clusters.agreement) + (other_ways(run, pool, clusters.count, seed) if others else [])
    for each in found:
        own = each.name == "these clusters"
        figures = {"accuracy": each.accuracy, "nmi": each.nmi, "ari": each.ari}
        more = {"clusters": clusters.count, **times} if own else {}
        rows.add(preset=preset, way=DEFAULT if own else each.name, seed=seed, **figures, **more)


def other_ways(run: Run, pool: ImageSet, count: int, seed: int) -> list[Agreement]:
    """Return how other ways on the same codes agree with the labels, told the number of clusters."""
    ways = [("k-means", "codes"), ("mixture", "codes"), ("k-means", "graph")]
    if importlib.util.find_spec("umap") is not None:
        ways.append(("mixture", "umap"))
    assert pool.labels is not None
    found = []
    for method, on in ways:
        labels = run.cluster(pool, count, method=method, on=on, seed=seed, repeats=0).labels
        found.append(agreement(f"{method} on {on}", labels, pool.labels))
    return found


if __name__ == "__main__":
    here = Path(__file__).parent / "results"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--split", default="train")
    parser.add_argument("--presets", nargs="+", default=list(OPTIONS))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=60_000, help="the most images")
    parser.add_argument("--others", action="store_true", help="other ways on the same codes, too")
    parser.add_argument("-o", "--output", type=Path, default=here / "clustering.json")
    main(**vars(parser.parse_args()))
