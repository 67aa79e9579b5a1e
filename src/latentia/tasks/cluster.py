"""Clustering images by their codes, without labels: from codes to :class:`~latentia.tasks.clusters.Clusters`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.noise import derive
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.cluster_methods import (
    SPACES,
    Fit,
    agreement_of_runs,
    fit,
    over_subsets,
    resolve_method,
    resolve_space,
    space_of,
)
from latentia.tasks.cluster_scores import beside_baselines, cohesions, stabilities
from latentia.tasks.clusters import Clusters, ClusterSummary
from latentia.tasks.embed import check_codes, embed

REPEATS = 5


def cluster(
    model: Autoencoder,
    images: ImageSet,
    count: int | None = None,
    *,
    method: str = "auto",
    on: str = "auto",
    seed: int = 0,
    repeats: int = REPEATS,
) -> Clusters:
    """Return clusters of ``images``; their labels, where there are any, are only compared with afterwards.

    Args:
        model: the autoencoder whose codes are clustered; spatial codes are averaged over their positions.
        images: two or more.
        count: K; found by a criterion of the method's own that needs no labels where ``None``.
        method: ``auto`` (communities), ``communities``, ``k-means``, ``mixture`` or ``hdbscan``.
        on: ``codes``, ``graph`` (their neighbour graph), ``umap`` (an extra), or ``auto``: what suits the method.
        seed: of every random choice.
        repeats: re-runs on random subsets (80 %, at most 20,000 images), for the stability; 0 for none.

    Raises:
        UserError: model and images do not fit, fewer than two images, NaN in codes, more clusters than images,
            ``count`` below 1, or an unknown method or space.
    """
    method = resolve_method(method)
    _check_request(count, on, len(images), images.source)
    codes = check_codes(embed(model, images, pool=True))
    space = resolve_space(on, method)
    points = space_of(codes, space, method, seed)
    found = fit(points, method, count, derive(seed, "cluster") % 2**31)
    order, labels = _largest_first(found.labels)
    k = len(order)

    def again(rows: npt.NDArray[np.int64], turn: int) -> npt.NDArray[np.int64]:
        state = derive(seed, "again", turn) % 2**31
        # the graph of fewer images is another graph, and is made anew; coordinates of UMAP take minutes and are kept
        some = points[rows] if space == "umap" else space_of(codes[rows], space, method, state)
        return fit(some, method, None if method == "hdbscan" else min(k, len(rows)), state).labels

    runs = over_subsets(len(images), again, repeats, seed) if k else []
    return _result(images, codes, found, labels, runs, k, {"method": method, "space": space, "seed": seed})


def _result(
    images: ImageSet,
    codes: npt.NDArray[np.float32],
    found: Fit,
    labels: npt.NDArray[np.int64],
    runs: list[npt.NDArray[np.int64]],
    k: int,
    how: dict[str, Any],
) -> Clusters:
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    centres = np.stack([codes[labels == each].mean(axis=0) for each in range(k)]) if k else codes[:0]
    distance = np.full(len(codes), np.nan)
    placed = labels >= 0
    distance[placed] = np.linalg.norm(codes[placed] - centres[labels[placed]], axis=1)
    cohesion, stability = cohesions(codes, labels, k), stabilities(labels, runs, k)
    summaries = tuple(
        ClusterSummary(each, int(sizes[each]), cohesion[each], stability[each], _mean(found.membership[labels == each]))
        for each in range(k)
    )
    labelled = images.labels is not None and len(np.unique(images.labels[images.labels >= 0])) > 1
    return Clusters(
        names=images.names,
        labels=labels,
        membership=found.membership,
        distance=distance,
        codes=codes,
        summaries=summaries,
        evidence=found.evidence,
        stability=agreement_of_runs(runs),
        agreement=beside_baselines(labels, images, k, how["seed"]) if labelled and k else (),
        about={
            **how,
            "criterion": found.criterion,
            "repeats": len(runs),
            "source": images.source,
            "split": images.split,
        },
    )


def _check_request(count: int | None, on: str, images: int, source: str) -> None:
    if on not in SPACES:
        space_of(np.zeros((1, 1)), on, "", 0)
    if images < 2:
        raise UserError(f"{source} has {images} image{'s' * (images != 1)}, but clustering needs two or more")
    if count is not None and count < 1:
        raise UserError(f"the number of clusters is {count}, but it must be at least 1")
    if count is not None and count > images:
        raise UserError(f"{count} clusters are asked for, but {source} has {images} images: ask for {images} or fewer")


def _largest_first(labels: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the old numbers in the order of falling size, and the labels renumbered so; -1 stays."""
    values, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = values[np.argsort(-counts, kind="stable")]
    place = {int(old): new for new, old in enumerate(order)}
    return order, np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
