"""Clusters as communities of the neighbour graph: the parts of greatest modularity (Newman & Girvan 2004).

As in PhenoGraph (Levine et al. 2015) images are clustered by who is near whom. Many small clusters of the spectral embedding
are merged, always the pair that loses least modularity (Clauset, Newman & Moore 2004), and single images then move to
the cluster where they add most, as in the Louvain method (Blondel et al. 2008). Modularity needs no labels, so the best of
several starts can be kept, and its course over the number of clusters K tells the number: see :func:`choose_count`.
"""

from __future__ import annotations

import dataclasses
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.noise import derive
from latentia.tasks.neighbour_graph import spectral_embedding

Labels = npt.NDArray[np.int64]

DIMENSIONS = 20  # of the spectral embedding, or 2 K where that is more
PIECES = 120  # small clusters to begin with, or 3 K where that is more
STARTS = 4
MOST = 30  # clusters that are looked for
MOVES, FIRST_MOVES = 200, 30  # rounds in which images move: at the end, and among the small clusters
APART = 0.01  # so little of the edges that chance would give is none
LITTLE = 0.25  # of the mean cluster: below it a cluster is a splinter


@dataclasses.dataclass(frozen=True)
class Communities:
    """Communities of a graph.

    Attributes:
        labels: int64 ``[N]``, 0 to K - 1.
        membership: float64 ``[N]``, the share of an image's edges (by weight) that stay in its cluster.
        modularity: of the labels.
        course: the modularity for each number of clusters from 1 on, before single images move: the mean over all starts,
            which the number is chosen by.
    """

    labels: Labels
    membership: npt.NDArray[np.float64]
    modularity: float
    course: tuple[float, ...]


def communities(graph: Any, count: int | None = None, seed: int = 0, starts: int = STARTS) -> Communities:
    """Return the ``count`` communities of a graph (chosen by its modularity where ``None``), the best of some starts.

    Args:
        graph: symmetric weights, scipy sparse CSR ``[N, N]``.
        count: K, 1 to N.
        seed: of eigenvectors, starts and moves.
        starts: how many partitions are made; the one of greatest modularity is returned.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    images = graph.shape[0]
    wanted = count or 1
    points = spectral_embedding(graph, max(DIMENSIONS, 2 * wanted), seed)
    pieces = min(max(PIECES, 3 * wanted), max(images // 3, wanted, 2), images)
    found: list[tuple[Labels, list[Labels], list[float]]] = []
    for start in range(starts):
        state = derive(seed, "communities", start) % 2**31
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # rows that coincide make fewer pieces
            small = KMeans(pieces, n_init=1, random_state=state).fit_predict(points).astype(np.int64)
        if len(np.unique(small)) < wanted:  # rows that coincide: whatever is asked for is then arbitrary, but given
            small = np.arange(images, dtype=np.int64) % pieces
        small = _compact(moved(graph, _apart(graph, small), state, wanted, FIRST_MOVES))
        merges, course = merged(graph, small)
        found.append((small, merges, course))
    shortest = min(len(course) for _, _, course in found)
    mean = np.mean([course[:shortest] for _, _, course in found], axis=0).tolist()
    if count is None:
        count = choose_count(mean)
    best: tuple[float, Labels] | None = None
    for start, (small, merges, _) in enumerate(found):
        labels = _compact(merges[count - 1][small])
        labels = moved(graph, labels, derive(seed, "moves", start), least=count)
        quality = modularity(graph, labels)
        if best is None or quality > best[0]:
            best = quality, labels
    assert best is not None  # there is at least one start
    quality, labels = best
    return Communities(labels, _membership(graph, labels), quality, tuple(mean[:MOST]))


def choose_count(course: list[float]) -> int:
    """Return the number of clusters behind which one more adds least: where the gain falls most.

    K equal clusters without edges between them have modularity 1 - 1/K, so the K-th adds 1/(K (K - 1)). The gain as a multiple
    of that is about 1 as long as true groups come apart, and falls when a true group is cut in two. The K before the deepest
    fall is taken; a gain above 1 counts as 1, and a loss as 0. Nothing gained at 2 means one cluster.
    """
    shares = np.clip(gain_shares(course), 0.0, 1.0)
    if len(shares) < 1 or shares[0] < 0.1:
        return 1
    falls = (shares - np.append(shares[1:], 0.0))[: MOST - 1]
    if len(falls) > 1 and len(shares) < MOST:
        falls = falls[:-1]  # behind the last one nothing is known
    return int(np.argmax(falls)) + 2


def gain_shares(course: list[float]) -> list[float]:
    """Return, for K = 2 and on, what cluster K adds to the modularity as a multiple of 1/(K (K - 1))."""
    return [(after - before) * k * (k - 1) for k, (before, after) in enumerate(pairwise(course), 2)]


def modularity(graph: Any, labels: Labels) -> float:
    """Return the modularity of a partition: the share of edge weight inside clusters, less what chance would give."""
    edges, volume = _between(graph, labels)
    return float(np.trace(edges) - (volume**2).sum())


def merged(graph: Any, labels: Labels) -> tuple[list[Labels], list[float]]:
    """Merge clusters two by two with least loss; return for K = 1, 2 … the map from old to new ones, and the modularity."""
    edges, volume = _between(graph, labels)
    place = np.arange(len(volume), dtype=np.int64)
    alive = list(range(len(volume)))
    quality = float(np.trace(edges) - (volume**2).sum())
    maps, course = [place.copy()], [quality]
    while len(alive) > 1:
        between, chance = edges[np.ix_(alive, alive)], np.outer(volume[alive], volume[alive])
        gain = 2 * (between - chance)
        small = volume[alive] < LITTLE / len(alive)
        # groups without edges between them stay apart for as long as others can be merged, unless one is a splinter
        foreign = (between < APART * chance) & ~(small[:, None] | small[None, :])
        cost = np.where(foreign, gain - 2.0, gain)
        np.fill_diagonal(cost, -np.inf)
        row, column = np.unravel_index(int(cost.argmax()), cost.shape)
        keep, gone = alive[int(row)], alive[int(column)]
        quality += float(gain[row, column])
        edges[keep] += edges[gone]
        edges[:, keep] += edges[:, gone]
        volume[keep] += volume[gone]
        place[place == gone] = keep
        alive.remove(gone)
        maps.append(place.copy())
        course.append(quality)
    return maps[::-1], course[::-1]


def moved(graph: Any, labels: Labels, seed: int, least: int = 1, rounds: int = MOVES) -> Labels:
    """Move images to the cluster where they add most modularity, half of them at a time, until none would move.

    A cluster may run empty, but not so that fewer than ``least`` are left.
    """
    random = np.random.default_rng(seed % 2**32)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    total, images, labels = degree.sum(), np.arange(len(labels)), labels.copy()
    clusters = int(labels.max()) + 1
    for _ in range(rounds):
        members = np.zeros((len(labels), clusters))
        members[images, labels] = 1.0
        volume = np.bincount(labels, degree, clusters)
        gain = graph @ members - degree[:, None] * (volume - members * degree[:, None]) / total
        better = gain.argmax(axis=1)
        moving = (gain[images, better] > gain[images, labels] + 1e-12) & (random.random(len(labels)) < 0.5)
        changed = np.where(moving, better, labels)
        if len(np.unique(changed)) < least:
            break
        labels = changed
        if not (gain[images, better] > gain[images, labels] + 1e-12).any():
            break
    return labels


def _apart(graph: Any, labels: Labels) -> Labels:
    """Return the labels with clusters divided that hold images of more than one connected component."""
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(graph, directed=False)
    return _compact(labels * (int(component.max()) + 1) + component)


def _between(graph: Any, labels: Labels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the shares of edge weight between clusters ``[K, K]`` and each one's volume ``[K]``."""
    from scipy.sparse import csr_matrix

    clusters = int(labels.max()) + 1
    members = csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)), (len(labels), clusters))
    edges = (members.T @ graph @ members).toarray()
    edges /= edges.sum()
    return edges, edges.sum(axis=1)


def _membership(graph: Any, labels: Labels) -> npt.NDArray[np.float64]:
    edges = graph.tocoo()
    inside = np.where(labels[edges.row] == labels[edges.col], edges.data, 0.0)
    kept = np.bincount(edges.row, inside, len(labels))
    return kept / np.maximum(np.bincount(edges.row, edges.data, len(labels)), 1e-12)


def _compact(labels: Labels) -> Labels:
    """Return the labels renumbered without gaps."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
