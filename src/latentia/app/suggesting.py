"""Which images to label next: those that the classifier is unsure of, and no two that are alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

POOL = 10  # candidates looked at for each image that is suggested
MOST = 5_000  # candidates at most


def suggest(
    codes: npt.NDArray[np.float32],
    labelled: npt.NDArray[np.bool_],
    doubt: npt.NDArray[np.float64] | None,
    count: int,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """Return up to ``count`` unlabelled images.

    The most doubtful tenth is thinned out by greedy k-centre selection in the codes, away from what is labelled and from one
    another (Sener & Savarese 2018); without a classifier the whole set is.

    Args:
        codes: float32 ``[N, D]``.
        labelled: bool ``[N]``.
        doubt: float64 ``[N]``, 0 for certain; ``None`` before there is a classifier.
        count: how many.
        allowed: bool ``[N]``, images that may be suggested.
    """
    free = ~labelled if allowed is None else ~labelled & allowed
    candidates = np.flatnonzero(free)
    if doubt is not None:
        pool = min(MOST, max(count * POOL, len(candidates) // 10))
        candidates = candidates[np.argsort(-doubt[candidates], kind="stable")][:pool]
    elif len(candidates) > MOST:
        candidates = candidates[np.linspace(0, len(candidates) - 1, MOST).astype(np.int64)]
    points = codes[candidates].astype(np.float64)
    known = np.flatnonzero(labelled)[:MOST]
    # from the middle where nothing is labelled: the first pick is then the most typical image
    start = codes[known].astype(np.float64) if len(known) else points.mean(axis=0, keepdims=True)
    if not len(candidates):
        return candidates
    distance = _least(points, start)
    chosen: list[int] = []
    if not len(known):
        chosen.append(int(distance.argmin()))
        distance = _least(points, points[chosen])
    while len(chosen) < min(count, len(candidates)):
        far = int(distance.argmax())
        if far in chosen:
            break  # all that is left coincides with what is chosen
        chosen.append(far)
        distance = np.minimum(distance, _least(points, points[far : far + 1]))
    return candidates[chosen]


def doubts(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how unsure each answer is, 0 to 1: one minus the lead of the likeliest class of ``[N, K]`` over the second."""
    if chances.shape[1] < 2:
        return np.zeros(len(chances))
    two = np.partition(chances, -2, axis=1)[:, -2:]
    return np.asarray(1.0 - (two[:, 1] - two[:, 0]))


def _least(points: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the squared distance of each point to the nearest of ``others``."""
    least = np.full(len(points), np.inf)
    for start in range(0, len(others), 256):
        block = others[start : start + 256]
        squared = np.square(points).sum(1)[:, None] - 2 * points @ block.T + np.square(block).sum(1)
        least = np.minimum(least, squared.min(axis=1))
    return np.maximum(least, 0.0)
