"""The neighbour graph of codes and its spectral embedding (Ng, Jordan & Weiss 2001).

An edge's weight is UMAP's fuzzy membership (McInnes, Healy & Melville 2018, section 3.1): 1 for the nearest neighbour, falling
so that every image has log2(k) neighbours in effect; the two directions are joined by a + b - ab.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.noise import derive

NEIGHBOURS = 15  # UMAP's default
DENSE = 400  # up to so many images all eigenvectors are found at once


def neighbour_graph(codes: npt.NDArray[Any], neighbours: int = NEIGHBOURS) -> Any:
    """Return the symmetric weights of the graph, scipy sparse CSR ``[N, N]``, for codes ``[N, D]`` of two rows or more."""
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import NearestNeighbors

    count = len(codes)
    k = min(neighbours, count - 1)
    distances, places = NearestNeighbors(n_neighbors=k).fit(codes).kneighbors()
    weights = _memberships(distances)
    rows = np.repeat(np.arange(count), k)
    directed = csr_matrix((weights.ravel(), (rows, places.ravel())), (count, count))
    return (directed + directed.T - directed.multiply(directed.T)).tocsr()


def _memberships(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return exp(-(d - nearest) / scale), with the scale of each row found by bisection so that it sums to log2(k)."""
    beyond = distances - distances[:, :1]
    target = max(np.log2(distances.shape[1]), 0.5)
    low, high = np.zeros((len(beyond), 1)), np.full((len(beyond), 1), np.inf)
    scale = np.maximum(beyond.mean(axis=1, keepdims=True), 1e-12)
    for _ in range(40):
        large = np.exp(-beyond / scale).sum(axis=1, keepdims=True) > target
        high, low = np.where(large, scale, high), np.where(large, low, scale)
        scale = np.where(np.isinf(high), 2 * scale, (low + np.where(np.isinf(high), 0.0, high)) / 2)
        scale = np.maximum(scale, 1e-12)
    return np.maximum(np.exp(-beyond / scale), 1e-9)


def spectral_embedding(graph: Any, dimensions: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return the leading eigenvectors of the normalised adjacency, rows of length 1, ``[N, dimensions]`` or fewer."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    count = graph.shape[0]
    dimensions = max(1, min(dimensions, count - 1))
    scale = diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    normalised = scale @ graph @ scale
    if count <= DENSE:
        _, vectors = np.linalg.eigh(normalised.toarray())
        leading = vectors[:, ::-1][:, :dimensions]
    else:
        start = np.random.default_rng(derive(seed, "spectral")).uniform(-1, 1, count)
        try:
            values, vectors = eigsh(normalised, k=dimensions, which="LA", tol=1e-4, v0=start)
        except ArpackNoConvergence as error:  # those that have converged will do
            values, vectors = error.eigenvalues, error.eigenvectors
            if not len(values):
                raise
        leading = vectors[:, np.argsort(-values)]
    return leading / np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), 1e-12)
