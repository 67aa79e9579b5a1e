"""How normal an image is, by what an autoencoder makes of it; every score is higher for more normal images.

``reconstruction``: log-likelihood of the image given its reconstruction, a Gaussian whose variance is that of the training
residuals, nats a pixel value. ``density``: minus the log of the mean distance to the 5 nearest training codes (Ramaswamy et al.
2000), pooled where codes are spatial: the density of codes there, up to its scale. ``masked``: the same
log-likelihood of cells that were hidden behind the training images' mean, each hidden once in four passes: it catches what a
network copies through. ``combined``: the mean of the three, each in units of its spread over training images.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import over, stream
from latentia.tasks.embed import embed
from latentia.training.storage import load_tensors, save_tensors

SINGLE = ("reconstruction", "density", "masked")
SCORES = (*SINGLE, "combined")
NEIGHBOURS = 5
PASSES = 4
CELLS = 7  # cells along the longer side
MOST = 10_000  # training images that are looked at


@dataclasses.dataclass(frozen=True)
class Normal:
    """What is normal, learned from training images.

    Attributes:
        mean: float32 ``[C, H, W]``, the images' mean in [0, 1].
        usual: float32 ``[H, W]``, the mean squared error of each pixel, over channels.
        codes: float32 ``[M, D]``.
        centre, spread: median and scaled median absolute deviation of each single score.
        count: how many images it was learned from.
    """

    mean: npt.NDArray[np.float32]
    usual: npt.NDArray[np.float32]
    codes: npt.NDArray[np.float32]
    centre: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    count: int

    @property
    def variance(self) -> float:
        """The variance of the training residuals."""
        return max(float(self.usual.mean()), 1e-6)

    def save(self, path: Path, owner: str) -> None:
        """Keep it as safetensors, for the model of digest ``owner``."""
        arrays = ("mean", "usual", "codes", "centre", "spread")
        tensors = {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in arrays}
        save_tensors(path, tensors, {"model": owner, "count": self.count})

    @classmethod
    def kept(cls, path: Path, owner: str) -> Self | None:
        """Return what :meth:`save` kept, or ``None`` where there is nothing, or of another model."""
        if not path.is_file():
            return None
        try:
            tensors, about = load_tensors(path)
            if about.get("model") != owner:
                return None
            return cls(**{name: value.numpy().copy() for name, value in tensors.items()}, count=int(about["count"]))
        except (UserError, TypeError, KeyError):  # damaged or of another version: it can always be made again
            return None


def learn_normal(model: Autoencoder, images: ImageSet) -> Normal:
    """Return what is normal by ``images``, those that the model was trained on; at most 10,000 are used, evenly spaced.

    Raises:
        UserError: fewer than two images, codes that are not finite, or model and images do not fit each other.
    """
    if len(images) < 2:
        raise UserError(f"{images.source} has {len(images)} image(s), but what is normal takes two or more to learn")
    chosen = images.select(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(np.int64))
    mean, usual = _means(model, chosen)
    normal = Normal(
        mean,
        usual,
        codes_of(model, chosen),
        np.zeros(len(SINGLE)),
        np.ones(len(SINGLE)),
        len(chosen),
    )
    single = np.stack([score(model, chosen, name, normal, own=True) for name in SINGLE])
    centre = np.median(single, axis=1)
    spread = 1.4826 * np.median(np.abs(single - centre[:, None]), axis=1)
    return dataclasses.replace(normal, centre=centre, spread=np.maximum(spread, 1e-9))


def score(
    model: Autoencoder, images: ImageSet, name: str, normal: Normal, *, own: bool = False
) -> npt.NDArray[np.float64]:
    """Return the score ``name`` of every image, float64 ``[N]``.

    Args:
        model: an autoencoder.
        images: images that fit it.
        name: one of :data:`SCORES`.
        normal: what is normal.
        own: the images are those that ``normal`` was learned from: a code is not its own neighbour.
    """
    if name == "combined":
        parts = [score(model, images, each, normal, own=own) for each in SINGLE]
        return np.mean([(part - c) / s for part, c, s in zip(parts, normal.centre, normal.spread, strict=True)], axis=0)
    if name == "density":
        return _density(codes_of(model, images), normal.codes, own=own)
    if name == "masked":
        errors = over(model, images, lambda batch: _masked(model, batch.pixels, normal)).astype(np.float64)
    else:
        errors = over(model, images, lambda batch: _whole(model, batch.pixels)).astype(np.float64)
    return -0.5 * (errors / normal.variance + math.log(2 * math.pi * normal.variance))


def codes_of(model: Autoencoder, images: ImageSet) -> npt.NDArray[np.float32]:
    """Return codes ``[N, D]``, pooled where they are spatial.

    Raises:
        UserError: a code is not finite.
    """
    codes = embed(model, images, pool=True)
    finite = np.isfinite(codes).all(axis=1)
    if not finite.all():
        bad = images.names[int(np.argmin(finite))]
        raise UserError(f"the code of {bad!r} is not finite, so nothing can be detected: train the model again")
    return codes


def _means(model: Autoencoder, images: ImageSet) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the mean image ``[C, H, W]`` and the mean squared error of each pixel ``[H, W]``."""
    sums: list[Any] = [0.0, 0.0]
    for parts in stream(model, images, lambda batch: torch.stack(_both(model, batch.pixels))):
        sums = [total + part for total, part in zip(sums, parts.astype(np.float64), strict=True)]
    mean, error = (np.asarray(total / len(images), dtype=np.float32) for total in sums)
    return mean, error.mean(axis=0)


def _both(model: Autoencoder, pixels: Tensor) -> list[Tensor]:
    return [pixels.sum(0), (model(pixels) - pixels).square().sum(0)]


def _whole(model: Autoencoder, pixels: Tensor) -> Tensor:
    return (model(pixels) - pixels).double().square().flatten(1).mean(1)


def _masked(model: Autoencoder, pixels: Tensor, normal: Normal) -> Tensor:
    height, width = pixels.shape[-2:]
    mean = torch.as_tensor(normal.mean, device=pixels.device)
    if mean.shape[-2:] != pixels.shape[-2:]:  # images of another size than the training images
        mean = mean.mean((-2, -1), keepdim=True)
    error = torch.zeros_like(pixels)
    for number in range(PASSES):
        hidden = hidden_cells(height, width, number).to(pixels.device)
        restored = model(torch.where(hidden, mean, pixels))
        error = torch.where(hidden, (restored - pixels).square(), error)
    return error.double().flatten(1).mean(1)


def hidden_cells(height: int, width: int, number: int) -> Tensor:
    """Return which pixels the pass ``number`` hides, bool ``[H, W]``: cells whose diagonal neighbours stay visible."""
    side = max(1, math.ceil(max(height, width) / CELLS))
    rows, columns = torch.arange(height)[:, None] // side, torch.arange(width)[None] // side
    return (rows % 2) * 2 + columns % 2 == number


def _density(codes: npt.NDArray[Any], known: npt.NDArray[Any], *, own: bool) -> npt.NDArray[np.float64]:
    from sklearn.neighbors import NearestNeighbors

    wanted = min(NEIGHBOURS, len(known) - own)
    nearest = NearestNeighbors(n_neighbors=wanted + own).fit(known.astype(np.float64))
    distances, _ = nearest.kneighbors(codes.astype(np.float64))
    return -np.log(np.maximum(distances[:, int(own) :].mean(axis=1, dtype=np.float64), 1e-12))
