"""How good clusters are: without labels (stability, cohesion), and beside labels and simple baselines where there are any."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet
from latentia.tasks.cluster_methods import SAMPLE

Labels = npt.NDArray[np.int64]

BASELINE_IMAGES = 20_000  # that k-means on pixels and on PCA is fitted to
PCA_UNITS = 50


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far clusters agree with labels; the labels took no part in the clustering.

    Attributes:
        name: what was clustered.
        accuracy: the share of images whose cluster's label is theirs, under the best one-to-one matching (Kuhn 1955).
        nmi: normalised mutual information, arithmetic mean.
        ari: adjusted Rand index.
    """

    name: str
    accuracy: float
    nmi: float
    ari: float


def agreement(name: str, clusters: Labels, labels: Labels) -> Agreement:
    """Return how far ``clusters`` agree with ``labels``; an image in no cluster (-1) counts as wrong."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    known = labels >= 0
    clusters, labels = clusters[known], labels[known]
    return Agreement(
        name,
        float(matched(clusters, labels).sum() / max(len(labels), 1)),
        float(normalized_mutual_info_score(labels, clusters)),
        float(adjusted_rand_score(labels, clusters)),
    )


def matched(clusters: Labels, labels: Labels) -> npt.NDArray[np.bool_]:
    """Return for each image whether its label is its cluster's, under the best one-to-one matching (Kuhn 1955).

    An image in no cluster (-1) is wrong; ``labels`` are 0 and above.
    """
    from scipy.optimize import linear_sum_assignment

    placed = clusters >= 0
    counts = np.zeros((int(clusters.max(initial=-1)) + 1, int(labels.max(initial=-1)) + 1))
    np.add.at(counts, (clusters[placed], labels[placed]), 1)
    rows, columns = linear_sum_assignment(-counts)
    names = np.full(len(counts) + 1, -1, dtype=np.int64)  # the last is that of -1
    names[rows] = columns
    return names[clusters] == labels


def beside_baselines(clusters: Labels, images: ImageSet, count: int, seed: int) -> tuple[Agreement, ...]:
    """Return the clusters' agreement with the images' labels, then that of k-means on raw pixels and on PCA of them."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    assert images.labels is not None  # the caller has looked
    known = np.flatnonzero(images.labels >= 0)
    some = known[np.linspace(0, len(known) - 1, min(len(known), BASELINE_IMAGES)).astype(np.int64)]
    pixels = images.format.to_unit(images.pixels[some]).reshape(len(some), -1)
    labels = images.labels[some]
    count = min(count, len(some))
    found = [agreement("these clusters", clusters, images.labels)]
    on_pixels = KMeans(count, n_init=4, random_state=seed).fit_predict(pixels)
    found.append(agreement("k-means on pixels", on_pixels, labels))
    units = min(PCA_UNITS, *pixels.shape)
    reduced = PCA(units, random_state=seed).fit_transform(pixels)
    on_pca = KMeans(count, n_init=4, random_state=seed).fit_predict(reduced)
    found.append(agreement(f"k-means on PCA ({units})", on_pca, labels))
    return tuple(found)


def cohesions(codes: npt.NDArray[Any], labels: Labels, count: int) -> list[float]:
    """Return the mean silhouette of each cluster, in code space, over a sample; NaN where there is none."""
    from sklearn.metrics import silhouette_samples

    rows = np.flatnonzero(labels >= 0)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)] if len(rows) else rows
    some = labels[rows]
    if not 1 < len(np.unique(some)) < len(some):
        return [float("nan")] * count
    values = silhouette_samples(codes[rows], some)
    return [
        float(values[some == cluster].mean()) if (some == cluster).any() else float("nan") for cluster in range(count)
    ]


def stabilities(labels: Labels, runs: list[Labels], count: int) -> list[float]:
    """Return for each cluster its mean Jaccard overlap with the most similar cluster of each re-run (Hennig 2007)."""
    found = []
    for cluster in range(count):
        values = []
        for run in runs:
            inside = run > -2
            own, others = labels[inside] == cluster, run[inside]
            if not own.any():
                continue
            shares = [
                float((own & (others == other)).sum() / (own | (others == other)).sum())
                for other in np.unique(others[own])
                if other >= 0
            ]
            values.append(max(shares, default=0.0))
        found.append(float(np.mean(values)) if values else float("nan"))
    return found
