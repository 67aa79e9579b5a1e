"""Which images are worth labelling next: coverage first, then uncertainty mixed with diversity.

Few labels are best spent on typical images of every region (TypiClust, Hacohen et al. 2022, algorithm 1): as many clusters are
made as there will be labels, and from each that has none the image is taken whose neighbours are nearest. With more labels the
images pay that the classifier is unsure of: of the ten times as many least certain ones (by margin, Scheffer et al. 2001), one
from each cluster, clusters weighted by uncertainty (Zhdanov 2019), so that no two are alike. A fifth always goes to
coverage: a class that no label names yet is never uncertain.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError, unknown
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet

Points = npt.NDArray[np.float32]
WAYS = ("auto", "coverage", "uncertainty")
DIMENSIONS = 50  # principal components that clusters are made in
NEIGHBOURS, SMALLEST, MOST_CLUSTERS = 20, 5, 500  # as in the paper
MANY = 10_000  # images from which on clusters are found by mini-batches
CANDIDATES = 10  # times as many uncertain images as are wanted
SETTLED, LEAST_COVERAGE = 20, 0.2  # labels a class from which on coverage has its least share


@dataclasses.dataclass(frozen=True, eq=False)
class Suggestions(Printed):
    """Images worth labelling next.

    Attributes:
        images: all images.
        rows: positions of those suggested, the most worthwhile first.
        reasons: why, one for each.
        labelled: how many images have which label so far.
        passed: how many were suggested before and left without a label; they are not suggested again.
    """

    images: ImageSet
    rows: npt.NDArray[np.int64]
    reasons: tuple[str, ...]
    labelled: Mapping[str, int]
    passed: int = 0

    @property
    def names(self) -> list[str]:
        """The names of the suggested images."""
        return [self.images.names[row] for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Return names, reasons and counts."""
        return {
            "source": self.images.source,
            "suggested": [{"name": name, "why": reason} for name, reason in zip(self.names, self.reasons, strict=True)],
            "labelled": dict(self.labelled),
            "left_empty": self.passed,
        }

    def write_csv(self, path: Path, *, after: bool = False) -> None:
        """Write name, an empty label and why, atomically; ``after`` the rows that the file holds, which stay as they are.

        Raises:
            UserError: the file exists, and ``after`` is not given: filled-in labels are not written over.
        """
        if path.exists() and not after:
            raise UserError(
                f"{path} exists already: give it as --label-file too, to go on from it, or choose another -o"
            )
        columns, before, ending, delimiter = ["name", "label", "why"], b"", "\n", ","
        if after:
            before = path.read_bytes()
            ending = "\r\n" if b"\r\n" in before else "\n"
            before += b"" if before.endswith(b"\n") else ending.encode()
            first = before.decode("utf-8-sig").splitlines()[0]
            delimiter = max(",;\t", key=first.count)
            columns = [column.strip() for column in next(csv.reader([first], delimiter=delimiter))]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator=ending, delimiter=delimiter)
        if not after:
            writer.writeheader()
        for name, reason in zip(self.names, self.reasons, strict=True):
            writer.writerow({"name": name, "label": "", "why": reason})
        write_bytes(path, before + text.getvalue().encode())

    def __str__(self) -> str:
        total = sum(self.labelled.values())
        free = len(self.images) - total
        counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(self.labelled.items()))
        unsure = sum(reason.startswith("unsure") for reason in self.reasons)
        kinds = f"{len(self.rows) - unsure} for coverage" + (
            f", {unsure} because the model is unsure of them" if unsure else ""
        )
        lines = [
            f"{self.images.source}: {len(self.rows)} of {free:,} unlabelled images suggested, {kinds}",
            f"labels so far: {total:,}" + (f" ({counts})" if counts else ""),
        ]
        if self.passed:
            lines.append(
                f"{self.passed:,} were suggested before and left without a label; they are not suggested again"
            )
        return "\n".join(lines)


def suggest(
    images: ImageSet,
    points: Points,
    labels: Mapping[int, str],
    n: int,
    *,
    passed: frozenset[int] = frozenset(),
    probabilities: npt.NDArray[np.float64] | None = None,
    classes: tuple[str, ...] = (),
    by: str = "auto",
    seed: int = 0,
) -> Suggestions:
    """Return ``n`` images worth labelling, or all there are where these are fewer.

    Args:
        images: all images.
        points: where each lies, float32 ``[N, D]``: codes, or features of a classifier.
        labels: the labels so far, by position.
        n: how many.
        passed: positions that were suggested before and left without a label.
        probabilities: ``[N, K]`` of a classifier, where there is one, for ``classes``.
        by: ``coverage``, ``uncertainty``, or ``auto``: coverage without a classifier, else both, the more uncertainty the more
            labels a class has.
        seed: of the clusters.

    Raises:
        UserError: nothing is left, ``n`` is below 1, or uncertainty is asked of no classifier.
    """
    if by not in WAYS:
        raise unknown("way to suggest", by, WAYS)
    if n < 1:
        raise UserError(f"n is {n}, but it must be 1 or more")
    if by == "uncertainty" and probabilities is None:
        raise UserError("an autoencoder is unsure of nothing: name the run of a classifier, or suggest by coverage")
    known = np.zeros(len(images), dtype=bool)
    known[list(labels)] = True
    free = ~known
    free[list(passed)] = False
    if not free.any():
        raise UserError(
            f"all {len(images):,} images of {images.source} have a label or were suggested before: none is left to suggest"
        )
    n = min(n, int(free.sum()))
    share = _coverage_share(by, len(labels), len(classes), probabilities is not None)
    space = principal(points, seed)
    first, sizes = cover(space, known, free, max(round(n * share), 0), seed)
    reasons = [
        f"typical of {size:,} image{'s' * (size != 1)} like it, {has or 'none'} of them labelled" for size, has in sizes
    ]
    rows = first
    if len(first) < n and probabilities is not None:
        free = free.copy()
        free[first] = False
        others = unsure_of(space, probabilities, free, n - len(first), seed)
        rows = np.concatenate([first, others])
        reasons += [_doubt(probabilities[row], classes) for row in others]
    return Suggestions(images, rows, tuple(reasons), Counter(labels.values()), len(passed))


def cover(
    space: Points, known: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_], n: int, seed: int
) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
    """Return ``n`` typical images of regions with few labels; and of each its region's size and labels.

    Args:
        space: ``[N, D]``.
        known: which have a label.
        free: which may be chosen.
    """
    if n < 1:
        return np.empty(0, dtype=np.int64), []
    regions = clusters(space, min(int(known.sum()) + n, MOST_CLUSTERS, len(space)), seed)
    sizes = np.bincount(regions)
    labelled = np.bincount(regions[known], minlength=len(sizes))
    served = labelled.copy()  # those that are suggested count as well
    left = np.bincount(regions[free], minlength=len(sizes))
    typical = _typicality(space, regions)
    chosen: list[int] = []
    found = []
    taken = free.copy()
    while len(chosen) < n:
        able = np.flatnonzero(left > 0)
        large = able[sizes[able] >= SMALLEST]
        able = large if len(large) else able
        region = int(able[np.lexsort((-sizes[able], served[able]))[0]])
        inside = np.flatnonzero((regions == region) & taken)
        best = int(inside[np.argmax(typical[inside])])
        chosen.append(best)
        found.append((int(sizes[region]), int(labelled[region])))
        taken[best] = False
        left[region] -= 1
        served[region] += 1
    return np.array(chosen, dtype=np.int64), found


def unsure_of(
    space: Points, probabilities: npt.NDArray[np.float64], free: npt.NDArray[np.bool_], n: int, seed: int
) -> npt.NDArray[np.int64]:
    """Return ``n`` images with a small margin between the two likeliest classes, no two of them alike, the least sure first."""
    from sklearn.cluster import KMeans

    top = np.sort(probabilities, axis=1)[:, -2:]
    doubt = 1.0 - (top[:, 1] - top[:, 0])
    rows = np.flatnonzero(free)
    rows = rows[np.argsort(-doubt[rows], kind="stable")][: CANDIDATES * n]
    if len(rows) <= n:
        return rows
    weights = np.maximum(doubt[rows], 1e-6)
    fitted = KMeans(n, n_init=3, random_state=seed % 2**32).fit(space[rows], sample_weight=weights)
    distance = np.linalg.norm(space[rows] - fitted.cluster_centers_[fitted.labels_], axis=1)
    picks = [
        int(rows[inside[np.argmin(distance[inside])]])
        for inside in (np.flatnonzero(fitted.labels_ == each) for each in range(n))
        if len(inside)
    ]
    # clusters of equal points are fewer than asked for: the least sure of the rest stand in
    picks += [int(row) for row in rows if row not in set(picks)][: n - len(picks)]
    order = np.argsort(-doubt[picks], kind="stable")
    return np.array(picks, dtype=np.int64)[order]


def clusters(space: Points, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return ``count`` clusters, int64 ``[N]``."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind: Any = KMeans if len(space) <= MANY else MiniBatchKMeans
    options = {} if len(space) <= MANY else {"batch_size": 4096}
    distinct = len(np.unique(space, axis=0))
    fitted = kind(min(count, distinct), n_init=3, random_state=seed % 2**32, **options).fit(space)
    return np.asarray(fitted.labels_, dtype=np.int64)


def principal(points: Points, seed: int) -> Points:
    """Return the points in at most 50 principal components: clusters are found faster, and hardly others."""
    from sklearn.decomposition import PCA

    if points.shape[1] <= DIMENSIONS or len(points) <= DIMENSIONS:
        return points
    some = np.random.default_rng(seed % 2**63).permutation(len(points))[:MANY]
    fitted = PCA(DIMENSIONS, svd_solver="randomized", random_state=0).fit(points[some])
    return np.asarray(fitted.transform(points), dtype=np.float32)


def _typicality(space: Points, regions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the inverse of the mean distance to the 20 nearest neighbours in the own cluster, ``[N]`` (equation 1)."""
    from sklearn.neighbors import NearestNeighbors

    typical = np.zeros(len(space))
    for region in np.unique(regions):
        inside = np.flatnonzero(regions == region)
        if len(inside) < 2:
            continue
        count = min(NEIGHBOURS, len(inside) - 1)
        distance, _ = NearestNeighbors(n_neighbors=count + 1).fit(space[inside]).kneighbors(space[inside])
        typical[inside] = 1.0 / (distance[:, 1:].mean(1) + 1e-9)
    return typical


def _coverage_share(by: str, labels: int, classes: int, unsure: bool) -> float:
    if by == "coverage" or not unsure:
        return 1.0
    if by == "uncertainty":
        return 0.0
    return max(LEAST_COVERAGE, 1.0 - labels / (SETTLED * max(classes, 1)))


def _doubt(chances: npt.NDArray[np.float64], classes: tuple[str, ...]) -> str:
    first, second = np.argsort(-chances, kind="stable")[:2]
    return f"unsure: {chances[first]:.0%} {classes[first]}, {chances[second]:.0%} {classes[second]}"
