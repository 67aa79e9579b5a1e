"""Clusters of MNIST without a label: the default pipeline, `train` (cae, 10-d code), then `cluster`, their number included.

The codes' neighbour graph is cut into its parts of greatest modularity (see latentia.tasks.communities). Labels are read after
everything is done. Beside it, on the same training images: k-means on raw pixels and on PCA, told the number of clusters found.
`--others` adds k-means and the mixture on the same codes, and the mixture on UMAP's coordinates where umap-learn is installed.

    python recipes/clustering.py                         MNIST's training images, 5 seeds, 10 epochs
    python recipes/clustering.py digits --epochs 100 --seeds 3
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from latentia import load, train
from latentia.data.imageset import ImageSet
from latentia.runs import Run
from latentia.tasks.cluster_scores import agreement


def main(
    data: str, split: str, epochs: int, seeds: int, images: int, latent_dim: int, others: bool, output: Path | None
) -> dict[str, list[dict[str, float]]]:
    """Print mean and worst of each way over the seeds; return one record for each way and seed."""
    pool = load(data, split)
    pool = pool.select(np.arange(min(images, len(pool))))
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as runs:
        for seed in range(seeds):
            started = time.perf_counter()
            run = train(
                pool, "cae", runs=runs, epochs=epochs, seed=seed, latent_dim=latent_dim, figures=False, quiet=True
            )
            trained = time.perf_counter() - started
            clusters = run.cluster(pool, seed=seed, repeats=0)
            seconds = time.perf_counter() - started - trained
            for each in clusters.agreement:
                name = "communities (default)" if each.name == "these clusters" else each.name
                record = {"seed": seed, "accuracy": each.accuracy, "nmi": each.nmi, "ari": each.ari}
                found.setdefault(name, []).append(record)
            found["communities (default)"][-1] |= {"clusters": clusters.count, "train_s": trained, "cluster_s": seconds}
            print(
                f"seed {seed}, training {trained:.0f} s, clustering with baselines {seconds:.0f} s\n{clusters}",
                flush=True,
            )
            if others:
                for name, record in other_ways(run, pool, clusters.count, seed).items():
                    found.setdefault(name, []).append(record)
    print(f"{'':<26}{'mean':>8}{'worst':>8}   accuracy over {seeds} seeds, {len(pool):,} images of {data}")
    for name, records in found.items():
        values = [record["accuracy"] for record in records]
        print(f"{name:<26}{np.mean(values):>8.4f}{min(values):>8.4f}")
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")
    return found


def other_ways(run: Run, pool: ImageSet, count: int, seed: int) -> dict[str, dict[str, float]]:
    """Return the records of other ways on the same codes, told the number of clusters."""
    ways = [("k-means", "codes"), ("mixture", "codes"), ("k-means", "graph")]
    if importlib.util.find_spec("umap") is not None:
        ways.append(("mixture", "umap"))
    records = {}
    assert pool.labels is not None
    for method, on in ways:
        labels = run.cluster(pool, count, method=method, on=on, seed=seed, repeats=0).labels
        each = agreement(method, labels, pool.labels)
        records[f"{method} on {on}"] = {"seed": seed, "accuracy": each.accuracy, "nmi": each.nmi, "ari": each.ari}
        print(f"seed {seed}, {method} on {on}: accuracy {each.accuracy:.4f}", flush=True)
    return records


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--split", default="train")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=60_000, help="the most images")
    parser.add_argument("--latent-dim", type=int, default=10)
    parser.add_argument("--others", action="store_true", help="other ways on the same codes, too")
    parser.add_argument("-o", "--output", type=Path, help="all figures as JSON")
    main(**vars(parser.parse_args()))
