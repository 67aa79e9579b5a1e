"""A map: codes brought to two dimensions, and how far its neighbourhoods can be trusted (Venna & Kaski 2001)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_atomically, write_bytes
from latentia.core.errors import UserError, unknown
from latentia.core.noise import derive
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.cluster_methods import umap_points
from latentia.tasks.clusters import csv_bytes
from latentia.tasks.embed import check_codes, embed

MAPS = ("pca", "tsne", "umap")
MOST = 5_000
JUDGED = 2_500  # images that trustworthiness is taken over: it needs all distances between them
NEIGHBOURS = 5
FEW, STEPS = (
    1_000,
    500,
)  # so few images have settled after half of t-SNE's usual steps (MNIST: trustworthiness .981 for .981)


@dataclasses.dataclass(frozen=True)
class Map(Printed):
    """Images in the plane.

    Attributes:
        positions: float32 ``[M, 2]``.
        images: the images that are on the map, M of them.
        method: ``pca``, ``tsne`` or ``umap``.
        trustworthiness: 0 to 1, how many of the 5 nearest on the map are near in the code; 1 is best, NaN of too few images.
        of: how many images there were to choose from.
    """

    positions: npt.NDArray[np.float32]
    images: ImageSet
    method: str
    trustworthiness: float
    of: int

    def __str__(self) -> str:
        shown = f"{len(self.positions):,} images" + ("" if self.of == len(self.positions) else f" of {self.of:,}")
        if np.isnan(self.trustworthiness):
            return f"{self.method} map of {shown}: too few for a trustworthiness"
        return f"{self.method} map of {shown}: trustworthiness {self.trustworthiness:.3f} (1 is best, 0.5 is chance)"

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the positions."""
        trust = None if np.isnan(self.trustworthiness) else self.trustworthiness
        return {"method": self.method, "images": len(self.positions), "of": self.of, "trustworthiness": trust}

    def save(self, path: Path) -> None:
        """Write the positions: ``.npy`` float32 ``[M, 2]``, or ``.csv`` with the columns name, x and y."""
        check_positions(path)
        if path.suffix.lower() == ".npy":

            def write(temporary: Path) -> None:
                with temporary.open("wb") as file:
                    np.save(file, self.positions, allow_pickle=False)

            write_atomically(path, write)
        else:
            rows = zip(self.images.names, *self.positions.T.tolist(), strict=True)
            write_bytes(path, csv_bytes(["name", "x", "y"], ((name, f"{x:.6g}", f"{y:.6g}") for name, x, y in rows)))


def check_positions(path: Path) -> None:
    """Raise a :class:`UserError` where positions cannot be written as that kind of file."""
    if path.suffix.lower() not in (".npy", ".csv"):
        raise UserError(f"positions cannot be written to {str(path)!r}: name a file that ends in .npy or .csv")


def map_images(model: Autoencoder, images: ImageSet, *, method: str = "tsne", most: int = MOST, seed: int = 0) -> Map:
    """Return a map of the codes of ``images``.

    Args:
        model: the autoencoder; spatial codes are averaged over their positions.
        images: three or more; at most ``most`` of them, evenly spaced, are on the map.
        method: ``pca`` (linear, quick), ``tsne`` (neighbourhoods; distances between groups mean little) or ``umap`` (an extra).
        most: t-SNE takes half a minute for 5,000 and grows faster than their number.
        seed: of t-SNE and UMAP.

    Raises:
        UserError: an unknown method, fewer than three images, NaN in codes, or model and images that do not fit.
    """
    if method not in MAPS:
        raise unknown("map", method, MAPS)
    if most < 3:
        raise UserError(f"--most is {most}, but a map needs three images or more")
    if len(images) < 3:
        raise UserError(
            f"{images.source} has {len(images)} image{'s' * (len(images) != 1)}, but a map needs three or more"
        )
    places = np.linspace(0, len(images) - 1, min(len(images), most)).astype(np.int64)
    some = images.select(places) if len(images) > most else images
    codes = check_codes(embed(model, some, pool=True))
    positions = positions_of(codes, method, seed=seed)
    return Map(positions, some, method, trust(codes, positions), len(images))


def positions_of(codes: npt.NDArray[np.float32], method: str, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return finite codes ``[N, D]`` in the plane, ``[N, 2]``, by ``method``; see :func:`map_images`.

    Raises:
        UserError: an unknown method, or UMAP is not installed.
    """
    if method not in MAPS:
        raise unknown("map", method, MAPS)
    return _DRAWN[method](codes, derive(seed, "map") % 2**31).astype(np.float32)


def position_all(
    codes: npt.NDArray[np.float32], method: str, *, most: int = MOST, seed: int = 0
) -> tuple[npt.NDArray[np.float32], int]:
    """Return every code ``[N, D]`` in the plane, ``[N, 2]``, and how many of them the method itself has placed.

    PCA places all. The others place ``most`` codes, evenly spaced, and each further code goes where its 5 nearest of these are:
    the mean of their places, weighted by nearness, without those that lie apart from the others.
    """
    chosen = np.linspace(0, len(codes) - 1, min(len(codes), most)).astype(np.int64)
    if method == "pca" or len(chosen) == len(codes):
        return positions_of(codes, method, seed=seed), len(codes)
    placed = positions_of(codes[chosen], method, seed=seed)
    positions = place_beside(codes[chosen], placed, codes)
    positions[chosen] = placed
    return positions, len(chosen)


def place_beside(
    known: npt.NDArray[np.float32], places: npt.NDArray[np.float32], codes: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return places ``[M, 2]`` for ``codes`` ``[M, D]`` among ``known`` codes ``[N, D]`` that have ``places`` ``[N, 2]``."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(known)
    distances, found = finder.kneighbors(codes)
    weights = 1.0 / np.maximum(distances, 1e-12)
    weights /= weights.sum(axis=1, keepdims=True)
    # a mean over neighbours of different groups would stand between the groups, where nothing is
    placed = places[found]
    middle = np.median(placed, axis=1, keepdims=True)
    near = np.linalg.norm(placed - middle, axis=2)
    kept = weights * (near <= 2.0 * np.median(near, axis=1, keepdims=True) + 1e-9)
    kept /= kept.sum(axis=1, keepdims=True)
    return np.asarray((kept[..., None] * placed).sum(axis=1), dtype=np.float32)


def trust(codes: npt.NDArray[Any], positions: npt.NDArray[Any]) -> float:
    """Return scikit-learn's trustworthiness with 5 neighbours, over at most 2,500 images, evenly spaced."""
    from sklearn.manifold import trustworthiness

    chosen = np.linspace(0, len(codes) - 1, min(len(codes), JUDGED)).astype(np.int64)
    neighbours = min(NEIGHBOURS, (len(chosen) - 1) // 2)
    if neighbours < 1 or len(chosen) < 4:
        return float("nan")
    return float(trustworthiness(codes[chosen], positions[chosen], n_neighbors=neighbours))


def _pca(codes: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
    from sklearn.decomposition import PCA

    units = min(2, *codes.shape)
    found = PCA(units, random_state=seed).fit_transform(codes)
    return np.pad(found, ((0, 0), (0, 2 - units)))


def _tsne(codes: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(1.0, (len(codes) - 1) / 3))
    start = _pca(codes, seed).astype(np.float32)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)  # as scikit-learn scales its own PCA start
    steps = STEPS if len(codes) <= FEW else 2 * STEPS
    return np.asarray(TSNE(perplexity=perplexity, init=start, random_state=seed, max_iter=steps).fit_transform(codes))


def _umap(codes: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
    return umap_points(codes, 2, seed, min_dist=0.1)


_DRAWN = {"pca": _pca, "tsne": _tsne, "umap": _umap}
