"""How alike two sets of images are, by their features: a Fréchet distance, precision and recall, and a look for copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.classifier import Classifier
from latentia.data.imageset import ImageSet
from latentia.tasks.apply import over

NEIGHBOURS = 3  # Kynkäänniemi et al. 2019, section 3.1
BLOCK = 1 << 24  # distances that stand in memory at once

Features = npt.NDArray[np.float64]


def features_of(model: Classifier, images: ImageSet) -> Features:
    """Return what the classifier's last layer sees of each image, float64 ``[N, D]``.

    Where the head has no hidden layer, these are the encoder's maps, averaged over their positions.

    Raises:
        UserError: model and images do not fit each other.
    """
    linear = model.spec.hidden == 0
    before = model.head[:-1]

    def read(batch: Any) -> Tensor:
        maps = model.features(batch.pixels)
        return (maps.mean(dim=(2, 3)) if linear else before(maps)).float()

    return over(model, images, read).astype(np.float64)


def frechet(first: Features, second: Features) -> float:
    """Return the squared Fréchet distance of two normals with the sets' means and covariances (Dowson & Landau 1982, eq. 4).

    With the features of an Inception network it is the FID of Heusel et al. 2017.
    """
    between = float(np.square(first.mean(0) - second.mean(0)).sum())
    one, two = np.cov(first, rowvar=False).reshape(first.shape[1], -1), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # the trace of (one two)^(1/2) by a symmetric matrix with the same eigenvalues
    shared = np.linalg.eigvalsh(root @ two.reshape(one.shape) @ root)
    spread = float(np.trace(one) + np.trace(two.reshape(one.shape)) - 2 * np.sqrt(np.maximum(shared, 0.0)).sum())
    return max(between + spread, 0.0)


def coverage(inside: Features, manifold: Features, k: int = NEIGHBOURS) -> float:
    """Return the share of ``inside`` that lies on the manifold of ``manifold`` (Kynkäänniemi et al. 2019, eq. 1 and 2).

    The manifold is the balls around its points that reach to their k-th nearest neighbour. Of generated on real images it is
    their precision, of real on generated ones their recall. NaN where the manifold has no k-th neighbours.
    """
    if len(manifold) <= k:
        return float("nan")
    points, others = torch.from_numpy(manifold), torch.from_numpy(inside)
    radii = torch.cat([near.kthvalue(k + 1, dim=1).values for near in _distances(points, points)])
    hits = [(near <= radii).any(dim=1) for near in _distances(others, points)]
    return float(torch.cat(hits).double().mean())


def nearest(
    images: npt.NDArray[Any], stock: npt.NDArray[Any], unit: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the per-pixel squared distance of each image to the nearest of ``stock``, and which that is.

    Args:
        images, stock: stored pixels ``[N, C, H, W]``; ``stock`` may be on disk.
        unit: brings either to [0, 1].
    """
    asked = torch.from_numpy(unit(images).reshape(len(images), -1))
    norms = asked.square().sum(1, keepdim=True)
    best = torch.full((len(asked),), float("inf"))
    which = torch.zeros(len(asked), dtype=torch.int64)
    step = max(1, BLOCK // max(len(asked), asked.shape[1]))
    for start in range(0, len(stock), step):
        part = torch.from_numpy(unit(np.asarray(stock[start : start + step])).reshape(-1, asked.shape[1]))
        value, place = (norms + part.square().sum(1) - 2 * asked @ part.T).min(dim=1)
        which = torch.where(value < best, place + start, which)
        best = torch.minimum(value, best)
    # by subtraction, for a copy's distance is zero to the bit
    exact = np.square(unit(images) - unit(np.asarray(stock[which.numpy()])), dtype=np.float64)
    return exact.reshape(len(images), -1).mean(axis=1), which.numpy()


def _distances(first: Tensor, second: Tensor) -> Any:
    step = max(1, BLOCK // len(second))
    for start in range(0, len(first), step):
        yield torch.cdist(first[start : start + step], second)
