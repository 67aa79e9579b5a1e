"""The ways to cluster codes: each takes points (or their graph) and a number of clusters, and needs no labels."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError, unknown
from latentia.core.noise import derive
from latentia.tasks.communities import communities, gain_shares
from latentia.tasks.neighbour_graph import neighbour_graph, spectral_embedding

Points = npt.NDArray[Any]

SPACES = ("auto", "codes", "graph", "umap")
SAMPLE = 5_000  # points whose silhouette is taken
TRIED = 15  # the largest number of clusters that k-means and the mixture are tried with
EIGENVECTORS = 10  # coordinates of the graph for k-means, mixture and hdbscan
UMAP_DIMENSIONS = 5


@dataclasses.dataclass(frozen=True)
class Fit:
    """One clustering.

    Attributes:
        labels: int64 ``[N]``, 0 to K - 1, or -1 for an image in no cluster (hdbscan).
        membership: float64 ``[N]``, how sure, 0 to 1.
        evidence: a row for each number of clusters that was looked at.
        criterion: what the number was chosen by, in words.
    """

    labels: npt.NDArray[np.int64]
    membership: npt.NDArray[np.float64]
    evidence: tuple[dict[str, float], ...] = ()
    criterion: str = "given"


def fit(points: Points, method: str, count: int | None, seed: int) -> Fit:
    """Return a clustering of points ``[N, D]`` into ``count`` clusters, or as many as the method's criterion finds."""
    return METHODS[resolve_method(method)](points, count, seed)


def resolve_method(method: str) -> str:
    """Return the method's name, the default for ``auto``.

    Raises:
        UserError: there is none of that name.
    """
    if method == "auto":
        return "communities"
    if method not in METHODS:
        raise unknown("clustering method", method, ["auto", *METHODS])
    return method


def space_of(codes: Points, on: str, method: str, seed: int) -> Points:
    """Return the points that are clustered: the codes, coordinates from their neighbour graph, or UMAP's.

    Raises:
        UserError: there is no such space, or UMAP is not installed.
    """
    if on not in SPACES:
        raise unknown("space to cluster on", on, SPACES)
    if on == "umap":
        return umap_points(codes, UMAP_DIMENSIONS, seed, min_dist=0.0)
    if on == "graph" and method != "communities":
        return spectral_embedding(neighbour_graph(codes), EIGENVECTORS, seed)
    return codes  # communities make their own graph of these


def resolve_space(on: str, method: str) -> str:
    """Return the space, the method's default for ``auto``."""
    if on in ("auto", "codes") and method == "communities":
        return "graph"
    return "codes" if on == "auto" else on


def umap_points(codes: Points, dimensions: int, seed: int, min_dist: float) -> npt.NDArray[np.float32]:
    """Return UMAP's coordinates ``[N, dimensions]``.

    Raises:
        UserError: umap-learn is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import umap
    except ImportError:
        raise UserError("UMAP is not installed: pip install 'latentia[umap]', or choose another method") from None
    neighbours = max(2, min(15, len(codes) - 1))
    start = "spectral" if len(codes) > dimensions + 2 else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one thread is used for the sake of the seed
        model = umap.UMAP(
            n_neighbors=neighbours, n_components=dimensions, min_dist=min_dist, random_state=seed, init=start
        )
        return np.asarray(model.fit_transform(codes), dtype=np.float32)


def _communities(points: Points, count: int | None, seed: int) -> Fit:
    found = communities(neighbour_graph(points), count, seed)
    course = list(found.course)
    rows: list[dict[str, float]] = [
        {"clusters": k, "modularity": course[k - 1], "gain": share} for k, share in enumerate(gain_shares(course), 2)
    ]
    criterion = "given" if count is not None else "modularity, whose gain falls most after it"
    return Fit(found.labels, found.membership, tuple(rows), criterion)


def _k_means(points: Points, count: int | None, seed: int) -> Fit:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    def once(some: Points, k: int, state: int) -> tuple[Any, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # codes that coincide make fewer clusters
            model = KMeans(k, n_init=5, random_state=state).fit(some)
        distances = np.sort(model.transform(some), axis=1)
        if k == 1:
            return model.labels_, np.ones(len(some))
        return model.labels_, distances[:, 1] / np.maximum(distances[:, 0] + distances[:, 1], 1e-12)

    return _by_silhouette(points, count, seed, once)


def _mixture(points: Points, count: int | None, seed: int) -> Fit:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    kind = "full" if points.shape[1] <= 64 else "diag"
    regular = 1e-6 + 1e-4 * float(points.var(axis=0).mean())

    def once(some: Points, k: int, state: int) -> tuple[Any, Any]:
        model = GaussianMixture(k, covariance_type=kind, reg_covar=regular, n_init=2, random_state=state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of the last iteration is a clustering, too
            shares = model.fit(some.astype(np.float64)).predict_proba(some.astype(np.float64))
        return shares.argmax(axis=1), shares.max(axis=1)

    return _by_silhouette(points, count, seed, once)


def _hdbscan(points: Points, count: int | None, _seed: int) -> Fit:
    from sklearn.cluster import HDBSCAN

    if count is not None:
        raise UserError("hdbscan finds the number of clusters itself: leave --clusters out, or choose another method")
    smallest = max(5, len(points) // 100)
    if len(points) < smallest:
        return Fit(np.zeros(len(points), dtype=np.int64), np.ones(len(points)), (), "hdbscan's own")
    model = HDBSCAN(min_cluster_size=smallest, min_samples=min(10, smallest), copy=True).fit(points)
    return Fit(
        model.labels_.astype(np.int64),
        model.probabilities_.astype(np.float64),
        (),
        f"hdbscan's own: stable groups of {smallest} images or more",
    )


def _by_silhouette(points: Points, count: int | None, seed: int, once: Callable[[Points, int, int], Any]) -> Fit:
    """Fit once for a given number, or for 2 to 15 and take the number of greatest silhouette plus stability."""
    rows: list[dict[str, float]] = []
    criterion = "given"
    if count is None:
        criterion = "the greatest sum of silhouette and stability"
        some = points[np.linspace(0, len(points) - 1, min(len(points), SAMPLE)).astype(np.int64)]
        subset = len(_subset(len(some), seed, 0))
        for k in range(2, min(TRIED, len(some) - 1, max(2, subset // 2)) + 1):
            labels = np.asarray(once(some, k, seed)[0])
            again = over_subsets(len(some), lambda rows, turn, k=k: once(some[rows], k, seed + turn + 1)[0], 3, seed)
            rows.append({"clusters": k, "silhouette": silhouette(some, labels), "stability": agreement_of_runs(again)})
        count = int(max(rows, key=_merit)["clusters"]) if rows else 1
    labels, membership = once(points, count, seed)
    return Fit(np.asarray(labels, dtype=np.int64), np.asarray(membership, dtype=np.float64), tuple(rows), criterion)


def _merit(row: dict[str, float]) -> float:
    total = row["silhouette"] + row["stability"]
    return -np.inf if np.isnan(total) else total


def over_subsets(count: int, clustered: Callable[..., Any], repeats: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Return the labels of ``clustered(rows, turn)`` on random subsets, int64 ``[count]`` each, -2 where not in the subset."""
    found = []
    for turn in range(repeats):
        rows = _subset(count, seed, turn)
        labels = np.full(count, -2, dtype=np.int64)
        labels[rows] = clustered(rows, turn)
        found.append(labels)
    return found


def _subset(count: int, seed: int, turn: int) -> npt.NDArray[np.int64]:
    """Return the places of a random subset, in rising order: 80 % of all, at least 2, at most 20,000."""
    size = max(2, min(20_000, round(0.8 * count)))
    return np.sort(np.random.default_rng(derive(seed, "subset", turn)).permutation(count)[:size])


def agreement_of_runs(runs: list[npt.NDArray[np.int64]]) -> float:
    """Return the mean adjusted Rand index over pairs of runs, each on the images that both have; NaN of one run."""
    values = []
    for first, second in combinations(runs, 2):
        both = (first > -2) & (second > -2)
        if both.sum() > 1:
            values.append(adjusted_rand(first[both], second[both]))
    return float(np.mean(values)) if values else float("nan")


def silhouette(points: Points, labels: npt.NDArray[Any]) -> float:
    """Return the mean silhouette, NaN of fewer than two clusters."""
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(points, labels))


def adjusted_rand(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Return the adjusted Rand index of two clusterings of the same images."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(first, second))


METHODS: Mapping[str, Callable[[Points, int | None, int], Fit]] = {
    "communities": _communities,
    "k-means": _k_means,
    "mixture": _mixture,
    "hdbscan": _hdbscan,
}
